"""What the docks are made of: parts, sections, forms, and how numbers are written."""
