"""Sampling: Optuna's samplers, and the view of the study that they are given."""
