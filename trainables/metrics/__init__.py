"""Metrics: scores that a search maximises, test metrics, confidence intervals, predictions on disk."""
