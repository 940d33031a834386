"""What a program shows of a search that it runs."""
