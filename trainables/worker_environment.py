"""Environment variables that every worker starts with."""

WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
"""Idle OpenMP threads sleep: spinning, two gangs on one machine made each other 2 to 5 times slower."""
