"""Keeping an answer: export, figure, the same in Python, and again from a record."""
