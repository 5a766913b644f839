"""The processes around an alert, as an outline: what events tell of them, and how they are read."""
