"""Tables that name image files and their labels: files of text or parquet, their columns, their rows."""
