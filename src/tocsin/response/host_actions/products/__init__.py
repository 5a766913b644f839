"""Connectors to products, a module each: what docs/response.md says of each, in HTTP."""
