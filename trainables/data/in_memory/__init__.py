"""Data in memory: arrays, tensors, data frames and data sets of other libraries, kept as files that `--data` reads."""
