"""tocsin: detection rules in Elastic's open format, run over Windows telemetry without a cluster."""

__version__ = "0.1.0"
