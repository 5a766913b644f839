"""What people and programs do with rules, alerts and exceptions: one function each, for commands and for HTTP."""
