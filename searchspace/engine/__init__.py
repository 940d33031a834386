"""The engine of a search: it chooses the next configuration, and which trials continue."""
