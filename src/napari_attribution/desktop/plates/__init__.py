"""A plate as docks ask for it: where it is, how it is read, and what there is of it."""
