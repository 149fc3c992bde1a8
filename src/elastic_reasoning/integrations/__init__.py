"""The core inside someone else's framework."""
