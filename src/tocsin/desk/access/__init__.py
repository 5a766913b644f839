"""Who may use the service and how they see it: log-in, own settings, users, keys, the audit log."""
