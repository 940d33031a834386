"""Folder operations that follow no links: each path is walked from the root with directory descriptors.

A results folder may come from another user, and its links could make a reader show, or a writer overwrite, files
outside of it. Paths are absolute and canonical: a caller resolves them once (`Path.resolve`), and nothing is resolved
here.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainables.common.errors import DamagedError

WALK = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags that open a folder for look-ups; this needs no permission to list it."""
LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}


_lasting: set[Path] = set()
"""Folders that this process must not create."""


def forbid_creating(folder: Path) -> None:
    """Forbid this process to create the absolute path `folder`, also when a file is written below it.

    For the folder of a running search: if its file system is unmounted, a new folder would hide it.
    """
    _lasting.add(folder)


@contextmanager
def open_directory(folder: Path, make: bool = False) -> Iterator[int]:
    """Open a descriptor of `folder` for calls relative to it; with `make`, missing folders are created.

    Raises `DamagedError` if a component is a link or not a folder, FileNotFoundError if one is missing, or another
    OSError.
    """
    place = Path(os.path.abspath(folder))  # unlike Path.resolve, this resolves no links
    here = os.open(place.anchor, WALK)
    try:
        within = Path(place.anchor)
        for part in place.parts[1:]:
            below = _enter(here, within, part, make)
            os.close(here)
            here, within = below, within / part
        yield here
    finally:
        os.close(here)


def _enter(here: int, within: Path, part: str, make: bool) -> int:
    try:
        try:
            return os.open(part, WALK, dir_fd=here)
        except FileNotFoundError:
            if not make or within / part in _lasting:
                raise
        with suppress(FileExistsError):  # another process created it meanwhile
            os.mkdir(part, dir_fd=here)
            sync_directory(here)
        return os.open(part, WALK, dir_fd=here)
    except (OSError, ValueError) as error:
        raise describe_os_error(error, here, within / part, "a folder") from error


def describe_os_error(error: OSError | ValueError, here: int, path: Path, expected: str) -> Exception:
    """The exception to raise for a failed call on `path`, which lies in the folder with the descriptor `here`.

    `DamagedError` if the path is not `expected`, else the same OSError with the whole path.
    """
    if isinstance(error, ValueError):  # a null byte
        return DamagedError(path, "is a name that no file can have")
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR, errno.EMLINK}:
        with suppress(OSError):
            mode = os.stat(path.name, dir_fd=here, follow_symlinks=False).st_mode
            return DamagedError(path, format_wrong_kind(mode, expected))
    return OSError(error.errno, error.strerror, str(path))


def format_wrong_kind(mode: int, expected: str) -> str:
    """Describe the kind of file with this `st_mode` that was found instead of what was `expected`."""
    rest = "; put what it leads to in its place" if stat.S_ISLNK(mode) else f", not {expected}"
    return f"is {KINDS.get(stat.S_IFMT(mode), 'no regular file')}{rest}"


def stat_path(path: Path) -> os.stat_result | None:
    """The status of `path`, without following links; None if it does not exist. Raises as `open_directory` does."""
    try:
        with open_directory(path.parent) as here:
            try:
                return os.stat(path.name or ".", dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                raise
            except (OSError, ValueError) as error:
                raise describe_os_error(error, here, path, "a file") from error
    except FileNotFoundError:
        return None


def is_folder(path: Path) -> bool:
    """Whether a folder exists; raises `DamagedError` for other kinds of files."""
    found = stat_path(path)
    if found is not None and not stat.S_ISDIR(found.st_mode):
        raise DamagedError(path, format_wrong_kind(found.st_mode, "a folder"))
    return found is not None


def list_folder(folder: Path) -> list[str]:
    """Sorted names in a folder; empty if it does not exist. Raises as `open_directory` does."""
    try:
        with open_listable(folder) as here:
            return sorted(os.listdir(here))
    except FileNotFoundError:
        return []


def sync_directory(here: int) -> None:
    """Flush the names in a folder, given by its descriptor, to disk, if its file system and permissions allow it."""
    with suppress(PermissionError):
        readable = os.open(".", LIST, dir_fd=here)
        try:
            os.fsync(readable)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
                raise
        finally:
            os.close(readable)


@contextmanager
def open_listable(folder: Path) -> Iterator[int]:
    """Open a descriptor of `folder` that can also be listed."""
    with open_directory(folder) as here:
        try:
            readable = os.open(".", LIST, dir_fd=here)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        try:
            yield readable
        finally:
            os.close(readable)


def files_below(folder: Path, strict: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Path]]:
    """Name and path of every regular file below a folder, sorted; links are left out.

    Raises `DamagedError` for other kinds of files if `strict` accepts their name.
    """
    found: list[str] = []
    with suppress(FileNotFoundError), open_listable(folder) as here:
        for place, folders, files, within in os.fwalk(".", dir_fd=here, follow_symlinks=False):
            for each in (*files, *folders):
                name, mode = os.path.normpath(f"{place}/{each}"), _mode(each, within)
                if stat.S_ISREG(mode):
                    found.append(name)
                elif strict and mode and not stat.S_ISDIR(mode) and strict(name):
                    raise DamagedError(folder / name, format_wrong_kind(mode, "a file"))
    for name in sorted(found, key=lambda name: Path(name).parts):
        yield name, folder / name


def _mode(name: str, within: int) -> int:
    """The `st_mode` of the file of this name; 0 if it was deleted meanwhile."""
    try:
        return os.stat(name, dir_fd=within, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if they are missing; raises as `open_directory` does."""
    with open_directory(folder, make=True):
        return


def remove_tree(path: Path) -> None:
    """Delete a folder and everything below it, as far as possible; of a link, only the link. It may be missing."""
    with suppress(OSError), open_directory(path.parent) as here:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=here, follow_symlinks=False).st_mode):
            shutil.rmtree(path.name, ignore_errors=True, dir_fd=here)
        else:
            os.unlink(path.name, dir_fd=here)


def remove_file(path: Path) -> None:
    """Delete a file or a link; it may be missing."""
    try:
        with open_directory(path.parent) as here:
            os.unlink(path.name, dir_fd=here)
    except FileNotFoundError:
        return


def rename(old: Path, new: Path) -> None:
    """Rename a file or folder, replacing a file at `new`; raises as `open_directory` does."""
    with open_directory(old.parent) as here, open_directory(new.parent) as there:
        try:
            os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(old), None, str(new)) from error
