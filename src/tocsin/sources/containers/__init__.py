"""What files of telemetry come packed in: compression, and archives."""
