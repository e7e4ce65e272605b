"""The affine beginning of a head: how far behind a cut a network does nothing but sums and products with constants.

Pooling, flattening, batch norm in eval mode, a linear layer: up to there, silencing a location subtracts one vector that
does not depend on what else is silenced, and these vectors can be had for all locations in one product. Found on a
network's steps alone; what is found is a lead, which whoever uses it compares with the head itself.
"""
