"""Families of configurations: what each costs and earns, and which one the next trial is drawn from. Pure."""
