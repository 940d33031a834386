"""Where a search lives, a folder or a URL: who works on it, who reads it, and whether all nodes reach it."""
