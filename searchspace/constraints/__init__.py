"""Constraints on what a network may cost, measured before it is trained."""
