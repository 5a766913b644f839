"""Elasticsearch's interface, as far as shippers and clients need it: ingest, searches, indices, probes."""
