"""What is watched, and where nothing is seen: techniques of ATT&CK, and the sources of events."""
