"""Programs: found in a text, and run in a sandbox."""
