"""Services that judge observables: what each is asked, what it may be asked, and how its answer is read."""
