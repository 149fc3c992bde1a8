"""A transformers model in this process: rows that are decoded together, each in its own slot."""
