"""Which parts of a pretrained network keep their weights, and where a trunk can be cut into two."""
