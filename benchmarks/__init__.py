"""Measurements: telemetry from a fixed seed, and tocsin beside others on the same input in one run."""
