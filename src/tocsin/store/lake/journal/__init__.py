"""The journal: frames of events on disk, how far it is acknowledged, and what of it is in no table yet."""
