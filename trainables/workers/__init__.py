"""Gangs: warm worker groups of Ray Train, the broker that gives them trials, and what happens when a worker fails."""
