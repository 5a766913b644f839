"""What rules may still need of the events that came in: rows of each, and whole events."""
