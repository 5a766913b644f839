"""Exceptions: from an alert, in lists; and lists of values."""
