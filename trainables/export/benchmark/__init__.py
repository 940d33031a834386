"""Benchmarks of exported files and of untrained architectures, each in a process of its own."""
