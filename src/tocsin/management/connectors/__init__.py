"""Connectors: their documents, and the checks when one is saved."""
