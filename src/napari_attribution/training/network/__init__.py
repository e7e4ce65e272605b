"""One network and its mixing layer: how it is fitted, and what is kept to go on."""
