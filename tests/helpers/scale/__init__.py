"""A search on paper: what one driver pays, measured, and what comes of it with up to 4,096 GPUs, simulated."""
