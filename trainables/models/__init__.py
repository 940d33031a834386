"""Architectures: the registry, the networks, what stands in front of them (preprocessing) and on them (the head)."""
