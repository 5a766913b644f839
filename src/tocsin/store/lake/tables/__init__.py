"""Tables of events: a Delta table for each index, its files, and how they are written, ordered and read."""
