"""The runner of a search, from its study to its winner."""
