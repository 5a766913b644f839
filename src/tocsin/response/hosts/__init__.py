"""Hosts that run osquery: enrolled, asked live, given packs; what they log becomes events."""
