"""The storage of searches, a folder or a URL: names, locks and leases, reading and writing."""
