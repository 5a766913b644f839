"""Elasticsearch's query language in JSON, and the query strings in it, as conditions of EQL."""
