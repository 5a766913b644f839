"""Hosts that run osquery: listed, looked at, asked; packs that they run; and how they enrol."""
