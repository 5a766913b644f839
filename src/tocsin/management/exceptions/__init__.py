"""Exceptions: lists of them, their items, and lists of values."""
