"""Results for people: columns and scales in words and colours, thumbnails, and the report. Knows no window."""
