"""Searches as jobs of a cluster: submitted from a laptop that may be closed, watched, stopped, and fetched.

The search's own options are checked here first. The code that checked them goes along and is what runs there, so both
are one version; what it needs beside itself is the cluster's.
"""
