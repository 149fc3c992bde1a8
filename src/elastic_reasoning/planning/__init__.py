"""What a sweep will need, before it is run: tokens, seconds, memory and money."""
