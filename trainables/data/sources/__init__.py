"""What lies in a folder: which split and class each file belongs to, and which files belong to none."""
