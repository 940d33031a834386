"""From records to text: every measured number in a Markdown file comes from `results/benchmarks/*.json`."""
