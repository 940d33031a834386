"""A search in a process of its own: what starts it, what it tells, and how it ends."""
