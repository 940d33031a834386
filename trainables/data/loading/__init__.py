"""Loading batches from the store."""
