"""Ratings by contests of Codeforces."""
