"""What this project keeps on a machine, what of it can go, and its removal."""
