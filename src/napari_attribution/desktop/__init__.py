"""What the microscopist sees: napari layers, and the docks that make them."""
