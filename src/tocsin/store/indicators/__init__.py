"""Lists of indicators: blocks of documents in records, and the index in which rules and searches find them."""
