"""One alert: what happened, its evidence, and its rule's guide beside it."""
