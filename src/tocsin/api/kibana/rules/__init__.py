"""Rules at the addresses and in the shapes of Kibana's detection engine."""
