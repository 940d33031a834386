"""Downloads that are checked by their SHA-256."""

import hashlib
import http.client
import shutil
import urllib.request
from pathlib import Path

from trainables.storage.folders import remove_tree

DOWNLOAD_TIMEOUT_S = 30
"""Seconds without data after which a download fails."""


def download_file(url: str, sha256: str, folder: Path) -> Path:
    """Download `url` into `folder`, unless the file is there already; returns its path.

    Raises OSError if the download fails, or the digest is wrong.
    """
    file = folder / url.rpartition("/")[2]
    if file.is_file() and _digest(file) == sha256:
        return file
    folder.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(file.name + ".partial")
    for odd in (file, beside):  # a damaged file, or another kind of file
        remove_tree(odd)
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer, beside.open("wb") as target:  # noqa: S310  # the content is checked
            shutil.copyfileobj(answer, target)
    except http.client.HTTPException as error:
        raise OSError(f"{url}: broke off ({type(error).__name__})") from error
    found = _digest(beside)
    if found != sha256:
        beside.unlink()
        raise OSError(f"{url}: is not what it should be (SHA-256 {found[:12]}…, expected {sha256[:12]}…)")
    return beside.replace(file)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
