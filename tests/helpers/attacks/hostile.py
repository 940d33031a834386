"""What somebody who makes a results folder puts in the place of its files; used by tests that attack readers."""

import os
from collections.abc import Callable
from pathlib import Path

SECRET = "-----BEGIN OPENSSH PRIVATE KEY----- of somebody who reads results"
HUGE = 1 << 36
"""Bytes of a sparse file: more than any reader may take."""


def link_to_secret(path: Path, secret: Path) -> None:
    """A link to a file outside."""
    path.symlink_to(secret)


def link_upwards(path: Path, secret: Path) -> None:
    """The same, relative."""
    path.symlink_to(os.path.relpath(secret, path.parent))


def dangling(path: Path, secret: Path) -> None:
    """A link to a file outside that is not there: who writes through it makes it."""
    path.symlink_to(secret.with_name("made.pth"))


def pipe(path: Path, _: Path) -> None:
    """A named pipe: who opens it waits for ever."""
    os.mkfifo(path)


def zeros(path: Path, _: Path) -> None:
    """A device without an end."""
    path.symlink_to("/dev/zero")


def sparse(path: Path, _: Path) -> None:
    """A file that takes no disk and fills any memory."""
    with path.open("wb") as file:
        file.truncate(HUGE)


def folder(path: Path, _: Path) -> None:
    """A folder in the place of a file."""
    path.mkdir()


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "link": link_to_secret, "relative link": link_upwards, "dangling link": dangling, "pipe": pipe, "zeros": zeros,
    "sparse": sparse, "folder": folder,
}  # fmt: skip
"""Each puts something at a path that is free; the second argument is a file outside of the results."""


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: size, time of change and content of each file, by its name; links are not followed."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, _content(path)) for path in sorted(folder.rglob("*"))
    }


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    return path.read_bytes() if path.is_file() and path.stat().st_size < 1 << 28 else b""


HOSTILE = "</script><img src=x onerror=alert(1)>"
