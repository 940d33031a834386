"""Heads of frozen backbones that are found by solving a convex problem, not by gradient steps over epochs."""
