"""What a training says of the stains, with its warnings and its record; saved and read again."""
