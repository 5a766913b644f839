"""The piped query language ES|QL: grammar, syntax tree, and tables that a query's commands change one by one."""
