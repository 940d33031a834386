"""Searches as jobs of a cluster: submitted from a laptop that may be closed, watched, stopped, and fetched.

The search's options are checked on this machine first. The same code is sent with the job and runs there, so both are
one version; the packages that it needs are the cluster's.
"""
