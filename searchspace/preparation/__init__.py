"""Preparation of a search: checks, data, record, plan."""
