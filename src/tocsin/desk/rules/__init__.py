"""Rules: the list, the page of one, its versions; import and export."""
