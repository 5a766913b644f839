"""Reports to hand on: one HTML page each, with all that it needs, of a hunt or of the desk's alerts."""
