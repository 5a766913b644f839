"""The service over HTTP: Elasticsearch's interface as far as shippers and clients need it, and tocsin's own."""
