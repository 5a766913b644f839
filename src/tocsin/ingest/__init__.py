"""The way in: from what clients send and files hold to documents in the event store."""
