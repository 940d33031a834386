"""From images on disk to batches on a device: sources, splits, the uint8 store, the epoch's plan."""
