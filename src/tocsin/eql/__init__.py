"""The EQL language: text -> syntax tree -> checked, normalised tree."""
