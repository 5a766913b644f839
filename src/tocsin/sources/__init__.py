"""Telemetry sources: raw records -> ECS events. The modules below are the catalogue of what tocsin reads."""
