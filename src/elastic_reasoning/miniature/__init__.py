"""The shipped tiny models and how they are made: tokenizer, thoughts, model, supervised warm-up."""
