"""Which methods there are, what a classifier allows of them, with which parameters, and at what cost."""
