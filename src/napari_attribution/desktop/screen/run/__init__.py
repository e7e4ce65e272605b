"""A run from the dock: what is asked for, how it goes on, and what is shown of it."""
