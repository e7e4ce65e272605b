"""A classifier that says which stain matters: a mixing layer in front of it is trained with it (DCMIX)."""
