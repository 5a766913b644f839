"""Alerts: ONE document, their ids, exceptions, overrides, suppression, and what was alerted on before."""
