"""Measurements, not tests: ratios against a rival of the same run, and JSON in results/benchmarks."""
