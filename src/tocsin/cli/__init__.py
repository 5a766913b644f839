"""Commands: arguments in, rendering out; the work is done in the rooms below."""
