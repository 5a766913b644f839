"""The evaluator: event tables in Arrow, rule sets as graphs of shared predicates, matches as row numbers."""
