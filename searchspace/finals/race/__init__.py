"""The finals as a race: seeds are added one at a time to the finalists that can still win."""
