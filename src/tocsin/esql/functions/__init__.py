"""Functions of ES|QL over the values of one row."""
