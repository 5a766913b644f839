"""Reports to hand on: alerts as files that need nothing else."""
