"""Connectors: their documents, and what is checked when one is saved."""
