"""What is done about alerts, over HTTP, where Kibana has no interface of its own for it."""
