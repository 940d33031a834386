"""The data sources that `--data` takes: named sets and layouts of files."""
