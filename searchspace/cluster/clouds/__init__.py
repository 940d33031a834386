"""What the cloud files in `cluster/` need of code: machines in price order, spot notices, an account's parts."""
