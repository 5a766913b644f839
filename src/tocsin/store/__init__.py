"""What stays: events in a lake of Arrow tables, records in a SQL database."""
