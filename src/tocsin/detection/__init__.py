"""Detection: rules made ready to run, events run through them, alerts built from matches."""
