"""An answer that lasts: exported, as a figure, as Python, and repeated from its record."""
