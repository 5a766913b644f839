"""Pages of actions on hosts: what is done, preparing and approving it, connectors, and who may what."""
