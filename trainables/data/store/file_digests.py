"""Sizes, times and digests of the files of a finished folder, by which later damage is detected.

Scratch file systems delete files, disks fill up, machines crash: files go missing, are cut, or hold zeros. Each check
compares all sizes and times, and the digests of some blocks of each file, other blocks each time. A file whose time
changed is read completely.
"""

import hashlib
import os
import random
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from trainables.common.errors import DamagedError
from trainables.config import Frozen
from trainables.storage.files import read_record, write_file

DIGESTS_FILE = "contents.json"
BLOCK_BYTES = 1 << 18
"""Size of a block, in bytes."""
DIGEST_DIGITS = 16
"""Hexadecimal digits of the digest of a block."""
SAMPLED_BLOCKS = 8
"""Blocks of a file that are read in each check, besides its first and last."""


class FileDigests(Frozen):
    """Size, time and digests of one file."""

    size: int
    """Size in bytes."""
    changed: int
    """Time of the last write, in nanoseconds since 1970."""
    digests: str
    """BLAKE2 digests of all blocks, joined."""


class FolderDigests(Frozen):
    """Digests of the files of a finished folder."""

    files: dict[str, FileDigests]
    """Files by name relative to the folder."""
    digest: str = ""
    """Digest of `files`, which shows that the record is complete."""

    def with_digest(self) -> "FolderDigests":
        """A copy with its digest."""
        # The text is part of the file format, with the name that its record had first.
        entries = [
            f"({name!r}, FileContent(size={file.size}, changed={file.changed}, digests={file.digests!r}))"
            for name, file in sorted(self.files.items())
        ]
        return self.model_copy(update={"digest": _digest(f"[{', '.join(entries)}]".encode())})

    def has_same_content(self, other: "FolderDigests") -> bool:
        """Whether both have the same files with the same content; times may differ."""
        mine, theirs = ({name: (f.size, f.digests) for name, f in each.files.items()} for each in (self, other))
        return mine == theirs


def compute_digests(folder: Path, names: Iterable[str]) -> FolderDigests:
    """Read the files of these names completely and compute their digests."""
    return FolderDigests(files={name: _compute_file_digests(folder / name) for name in sorted(names)}).with_digest()


def write_digests(folder: Path, contents: FolderDigests, name: str = DIGESTS_FILE) -> None:
    """Write the digests that `find_damage` compares with."""
    write_file(folder.resolve() / name, contents.model_dump_json().encode())


def read_digests(folder: Path, name: str = DIGESTS_FILE) -> FolderDigests:
    """Read a folder's digests; raises `DamagedError`, or OSError such as FileNotFoundError."""
    file = folder.resolve() / name
    found = read_record(file, FolderDigests, limit=1 << 30)
    if found != found.with_digest():
        raise DamagedError(file, "is not as it was written")
    return found


def find_damage(
    folder: Path, name: str = DIGESTS_FILE, within: str = "", complete: bool = False, seed: int | None = None
) -> str:
    """Describe the damage of a folder whose digests were written as `name`; empty if none is found.

    Only files whose names begin with `within` are checked: all of their blocks if `complete`, else a sample drawn by
    `seed` (None: another each time).
    """
    try:
        contents = read_digests(folder, name)
    except FileNotFoundError:
        return f"{name} is missing" if os.path.lexists(folder) else "it is missing"
    except (DamagedError, OSError) as error:
        return _one_line(error)
    rng, renewed = random.Random(time.time_ns() if seed is None else seed), dict(contents.files)  # noqa: S311
    for each, content in contents.files.items():
        if each.startswith(within):
            try:
                renewed[each] = _check_file(folder / each, content, complete, rng)
            except _ChangedError as error:
                return f"{each} {error}"
            except OSError as error:
                return f"{each}: {_one_line(error)}"
    if renewed != contents.files:  # copied or restored, with other times
        _try_write(folder, FolderDigests(files=renewed).with_digest(), name)
    return ""


class _ChangedError(Exception):
    """A file was changed; the text says how."""


def _check_file(file: Path, content: FileDigests, complete: bool, rng: random.Random) -> FileDigests:
    """Compare a file with its digests; returns them with its current time. Raises `_ChangedError`, or OSError."""
    try:
        found = file.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _ChangedError("is missing") from error
    if not stat.S_ISREG(found.st_mode):
        raise _ChangedError("is no file")
    if found.st_size != content.size:
        raise _ChangedError(f"has {found.st_size:,} bytes, not {content.size:,}")
    blocks = range(len(content.digests) // DIGEST_DIGITS)
    if not complete and found.st_mtime_ns == content.changed and len(blocks) > SAMPLED_BLOCKS + 2:
        chosen = sorted({0, len(blocks) - 1, *rng.sample(blocks, SAMPLED_BLOCKS)})
    else:
        chosen = list(blocks)
    with file.open("rb", buffering=0) as opened:
        for block in chosen:
            piece = os.pread(opened.fileno(), BLOCK_BYTES, block * BLOCK_BYTES)
            if _digest(piece) != content.digests[block * DIGEST_DIGITS : (block + 1) * DIGEST_DIGITS]:
                raise _ChangedError(f"is not as it was written, near byte {block * BLOCK_BYTES:,}")
    return content.model_copy(update={"changed": found.st_mtime_ns})


def _compute_file_digests(file: Path) -> FileDigests:
    with file.open("rb", buffering=0) as opened:
        found, digests = os.fstat(opened.fileno()), []
        for start in range(0, found.st_size, BLOCK_BYTES):
            digests.append(_digest(os.pread(opened.fileno(), BLOCK_BYTES, start)))
    return FileDigests(size=found.st_size, changed=found.st_mtime_ns, digests="".join(digests))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=DIGEST_DIGITS // 2).hexdigest()


def _try_write(folder: Path, contents: FolderDigests, name: str) -> None:
    try:
        write_digests(folder, contents, name)
    except OSError:  # a read-only cache; the next check reads the files completely again
        return


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
