"""Pages of indicators: lists, hunts, services that judge observables, and the reputation of one."""
