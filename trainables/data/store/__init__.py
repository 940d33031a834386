"""The uint8 store: a data set decoded once, memory-mapped by every worker."""
