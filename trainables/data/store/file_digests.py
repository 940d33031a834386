"""What the files of a finished folder held: sizes, times and digests, by which later damage is noticed.

Scratch file systems delete what nobody read for a while, disks fill up, machines crash: files go, are cut or hold
zeros. Each opening looks at every size and time, and at some blocks of every file, others each time. A file whose time
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
"""Bytes that one digest is of."""
DIGEST_DIGITS = 16
"""Hexadecimal digits of one digest."""
SAMPLED_BLOCKS = 8
"""Blocks of a file looked at in each opening, besides its first and last."""


class FileDigests(Frozen):
    """One file."""

    size: int
    """Bytes."""
    changed: int
    """When it was written, in nanoseconds since 1970."""
    digests: str
    """BLAKE2 digest of each block, one after the other."""


class FolderDigests(Frozen):
    """The files of a folder when it was finished."""

    files: dict[str, FileDigests]
    """By name relative to the folder."""
    digest: str = ""
    """Of the above, so that this record is known to be whole."""

    def with_digest(self) -> "FolderDigests":
        """With its digest."""
        return self.model_copy(update={"digest": _digest(repr(sorted(self.files.items())).encode())})

    def has_same_content(self, other: "FolderDigests") -> bool:
        """Whether both are of the same content, whenever it was written."""
        mine, theirs = ({name: (f.size, f.digests) for name, f in each.files.items()} for each in (self, other))
        return mine == theirs


def compute_digests(folder: Path, names: Iterable[str]) -> FolderDigests:
    """Read the files of these names completely; what they hold."""
    return FolderDigests(files={name: _compute_file_digests(folder / name) for name in sorted(names)}).with_digest()


def write_digests(folder: Path, contents: FolderDigests, name: str = DIGESTS_FILE) -> None:
    """Write what `find_damage` compares with."""
    write_file(folder.resolve() / name, contents.model_dump_json().encode())


def read_digests(folder: Path, name: str = DIGESTS_FILE) -> FolderDigests:
    """What a folder held; raises `DamagedError`, or OSError such as FileNotFoundError."""
    file = folder.resolve() / name
    found = read_record(file, FolderDigests, limit=1 << 30)
    if found != found.with_digest():
        raise DamagedError(file, "is not as it was written")
    return found


def find_damage(
    folder: Path, name: str = DIGESTS_FILE, within: str = "", complete: bool = False, seed: int | None = None
) -> str:
    """What is wrong with a folder whose contents were written under `name`, in a few words; empty if nothing is seen.

    Only files whose names begin with `within` are looked at; all blocks of them if `complete`, else some that `seed`
    chooses (None: others each time).
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
    if renewed != contents.files:  # copied, or restored, with other times
        _try_write(folder, FolderDigests(files=renewed).with_digest(), name)
    return ""


class _ChangedError(Exception):
    """A file is not as it was; the text says how."""


def _check_file(file: Path, content: FileDigests, complete: bool, rng: random.Random) -> FileDigests:
    """The file's content, with the time that it has now; raises `_DifferentError`, or OSError."""
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
    except OSError:  # a cache that can only be read; the next opening looks at all again
        return


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
