"""The scheduler: rules on a clock over the store, their executions and alerts in records."""
