"""How fast alerts are raised, taken up and closed, and which rules cost most of that work."""
