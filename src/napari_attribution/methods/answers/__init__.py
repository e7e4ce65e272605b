"""What becomes of a method's results: the answer, what it was made of, and the record that repeats it."""
