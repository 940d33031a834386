"""Tables that hold the images themselves: parquet files of hubs, and Arrow folders of `save_to_disk`."""
