"""Actions on hosts, users and indicators through connectors, each recorded: who asked, what, with which result."""
