"""osquery's TLS remote API: what stock osqueryd asks of its server."""
