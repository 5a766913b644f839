"""Cases: their list, the page of one, what is done in it, evidence, and reports."""
