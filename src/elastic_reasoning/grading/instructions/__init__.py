"""Whether a response follows instructions that a program can check, as IFEval has them."""
