"""One graded trace as one line, the log of a run, and where both come from."""
