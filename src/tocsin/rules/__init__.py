"""Detection rules: one model, readers and writers for Elastic's TOML and Kibana's NDJSON, ATT&CK names."""
