"""GRPO on TRL."""
