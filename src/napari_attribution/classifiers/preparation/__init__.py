"""From a well to the classifier's input, and a map's way back."""
