"""Measuring: sweeps over budgets, their records, and what the records add up to."""
