"""Parts of the user's own: models, metrics, augmentations, data sources and spaces that are named, not installed."""
