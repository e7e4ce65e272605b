"""Fields as a network sees them: read once, cut, turned, and out of memory where they are large."""
