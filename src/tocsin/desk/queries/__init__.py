"""What the desk offers wherever values and query bars stand: the menu of a value, completion of what is typed."""
