"""Use from Python: searches, their events, their results, and what their winners predict."""
