"""Pages that say what happened since, what rules cover, and whether events come in."""
