"""The event store on disk: a journal for what just came, and one Delta table for each index."""
