"""The list of alerts, and what is done with those that are selected."""
