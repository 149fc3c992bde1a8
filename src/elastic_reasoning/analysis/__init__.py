"""Statistics of records, and of nothing else."""
