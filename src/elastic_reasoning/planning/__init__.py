"""What a sweep or a training will need, before it is run: tokens, seconds, memory and money."""
