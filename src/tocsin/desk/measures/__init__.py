"""How fast alerts are raised, taken up and closed, charted; and which rules cost most of that work."""
