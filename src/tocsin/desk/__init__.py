"""The analyst's desk: pages in which alerts are triaged."""
