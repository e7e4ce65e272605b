"""Point and click: which cell, and what it is to the classifier."""
