"""What a running search shows: a live screen on a terminal, one plain line for each event that matters elsewhere."""
