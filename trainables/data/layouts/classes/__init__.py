"""Which folders are classes: names that are none, checks, and doubts."""
