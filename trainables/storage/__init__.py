"""Where a search lives, as its processes see it: storage by URL, copies that are kept in step, a worker's visits."""
