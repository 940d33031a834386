"""The study: the record of a search's trials, and how it is kept and read."""
