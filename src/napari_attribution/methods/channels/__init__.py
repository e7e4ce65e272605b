"""What each stain counts for: games between stains, and what their values are made of."""
