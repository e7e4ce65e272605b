"""What is asked: one input, the score to be explained, what stands in for what is taken away."""
