"""Exception lists, exceptions and lists of values at Kibana's addresses and in its shapes."""
