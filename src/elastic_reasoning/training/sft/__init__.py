"""The warm start: supervised training on thinking in the right format."""
