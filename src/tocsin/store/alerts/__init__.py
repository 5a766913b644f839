"""The alerts of records as an event store of their own: read like the lake's, without a copy of the documents."""
