"""Which wells are of which class, which of them train, and what is wrong with that. No pixels are read."""
