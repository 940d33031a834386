"""What a search will take in time, memory, disk and money: before it, from a dry run, and after its first trials."""
