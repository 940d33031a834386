"""Files, folders and caches on disk, and a search's storage in a shared folder or an object store."""
