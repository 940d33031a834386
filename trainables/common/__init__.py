"""Shared parts: errors, text from outside, retries, licences."""
