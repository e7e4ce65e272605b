"""What a file says of itself is not enough: the card says the rest, and is kept as a bioimage.io description."""
