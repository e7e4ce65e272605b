"""Opening classifier files: look inside first, never unpickle, say what it is when it is not a classifier."""
