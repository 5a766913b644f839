"""The editor of rules: every type as a form, with live errors of the query and a preview."""
