"""What the plugin's methods are measured against: published methods of others, and controls. Behind the same `explain`."""
