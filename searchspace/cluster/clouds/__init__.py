"""Code behind the cloud files in `cluster/`: machines in price order, spot notices, set-up of an account."""
