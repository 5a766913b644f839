"""Readers of files, one module a format: a stream becomes batches of events."""
