"""Progress of a running search: a live screen on a terminal, and plain lines for main events elsewhere."""
