"""What several methods build their maps with."""
