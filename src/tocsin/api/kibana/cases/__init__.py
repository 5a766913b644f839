"""Cases over HTTP, as Kibana has them: https://www.elastic.co/docs/api/doc/kibana/group/endpoint-cases."""
