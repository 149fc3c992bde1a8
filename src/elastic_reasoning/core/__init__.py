"""What a budget is and how it is spent: pure Python, which does no I/O and imports nothing of ours."""
