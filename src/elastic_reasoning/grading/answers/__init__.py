"""Answers in mathematics and other short ones: what was stated, read, and compared."""
