"""Decoding image files within limits."""
