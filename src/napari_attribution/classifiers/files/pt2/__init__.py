"""Files of torch.export (.pt2), of which only plain data is read."""
