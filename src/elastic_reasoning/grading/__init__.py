"""What counts as right: answers of mathematics, choices and short texts, instructions, and programs in a sandbox."""
