"""The dock "Screen": a plate of explanations."""
