"""Reports of a search's results."""
