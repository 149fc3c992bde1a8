"""Showing: the table, the figures and the page that are made of records."""
