"""Completion of command lines by shells."""
