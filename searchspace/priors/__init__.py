"""What earlier searches on other data sets say about where to begin."""
