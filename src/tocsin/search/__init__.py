"""Answers over the event store: EQL, searches with aggregations, fields."""
