"""Where this machine keeps what it can have again: stores, downloads, copies of what lies elsewhere."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$SEARCHSPACE_CACHE`, or `~/.cache/searchspace`; made if it is missing, and no link."""
    given = os.environ.get("SEARCHSPACE_CACHE")
    folder = Path(given) if given else Path.home() / ".cache" / "searchspace"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # decoded copies of images that may lie in a private folder themselves
    return folder.resolve()
