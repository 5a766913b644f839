"""Types of rules, one module each: the events that fit a rule in a window -> its findings."""
