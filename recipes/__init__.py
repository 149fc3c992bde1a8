"""Recipe files, as package data: one file is one training or evaluation run."""
