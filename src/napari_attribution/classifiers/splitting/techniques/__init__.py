"""The ways to part a network: one for each kind of file, one for what they cannot do, and one that needs no graph."""
