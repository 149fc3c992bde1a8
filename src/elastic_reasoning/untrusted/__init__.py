"""What others wrote: files and answers that may be damaged, of another kind, or made to do harm."""
