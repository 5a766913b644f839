"""JSON documents as columns: the fields of an index, the types of their values, tables and batches of them."""
