"""Frozen features: outputs of backbones that do not learn, computed once a node for every image."""
