"""The standing watch: rules on a clock over the store, alerts and executions in records."""
