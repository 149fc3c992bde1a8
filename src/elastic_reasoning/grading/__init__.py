"""What counts as right: answers of mathematics, choices and short texts, and programs in a sandbox."""
