"""What this machine and this installation have, and what a search would lack."""
