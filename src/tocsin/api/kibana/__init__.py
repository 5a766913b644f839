"""Kibana's interface: rules, alerts, exceptions, lists and connectors, at its addresses and in its shapes."""
