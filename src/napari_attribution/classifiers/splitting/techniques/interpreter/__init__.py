"""The graph interpreter, which runs a TorchScript graph node by node."""
