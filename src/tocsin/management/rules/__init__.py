"""Rules: their documents, what is checked when one is saved, actions on many, runs."""
