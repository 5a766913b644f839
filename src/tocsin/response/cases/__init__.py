"""Cases: what is done about alerts, by whom, and with which evidence."""
