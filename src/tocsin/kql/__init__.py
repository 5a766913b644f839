"""The Kibana query language: grammar, and conditions in EQL's syntax tree, which the one evaluator runs."""
