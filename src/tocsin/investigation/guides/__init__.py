"""Investigation guides of rules: rendered for an alert, with the queries that they offer."""
