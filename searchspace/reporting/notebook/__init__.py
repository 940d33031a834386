"""What notebooks show of results."""
