"""Code of the user's own in a search: the options that name it, its hyperparameters, and what a search keeps of it."""
