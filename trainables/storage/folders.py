"""Folders without links: every path is walked from the root with directory descriptors, and no component may be a link.

A results folder may come from somebody else. Its links would make a reader show, and a writer overwrite, files outside
of it. Paths are absolute and canonical: who names a folder resolves it once (`Path.resolve`), here nothing is resolved.
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
"""Opens a folder to look things up in it, which needs no permission to list it."""
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
"""Folders that this process does not make."""


def forbid_creating(folder: Path) -> None:
    """Let this process not make `folder`, an absolute path, from here on, also where something is written below it.

    For the folder of a search that is running: where it is away, one in its place would be in its way.
    """
    _lasting.add(folder)


@contextmanager
def open_directory(folder: Path, make: bool = False) -> Iterator[int]:
    """A descriptor of `folder`, for calls relative to it; with `make`, what is missing of it is made.

    Raises `DamagedError` where a component is a link or no folder, FileNotFoundError where one is missing, or another
    OSError.
    """
    place = Path(os.path.abspath(folder))  # resolves no link, unlike Path.resolve
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
        with suppress(FileExistsError):  # somebody else made it meanwhile
            os.mkdir(part, dir_fd=here)
            sync_directory(here)
        return os.open(part, WALK, dir_fd=here)
    except (OSError, ValueError) as error:
        raise describe_os_error(error, here, within / part, "a folder") from error


def describe_os_error(error: OSError | ValueError, here: int, path: Path, expected: str) -> Exception:
    """What a failed call on `path`, in the folder with the descriptor `here`, is raised as.

    `DamagedError` where something else than `expected` is there, else the same OSError with its whole path.
    """
    if isinstance(error, ValueError):  # a null byte
        return DamagedError(path, "is a name that no file can have")
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR, errno.EMLINK}:
        with suppress(OSError):
            mode = os.stat(path.name, dir_fd=here, follow_symlinks=False).st_mode
            return DamagedError(path, format_wrong_kind(mode, expected))
    return OSError(error.errno, error.strerror, str(path))


def format_wrong_kind(mode: int, expected: str) -> str:
    """What lies somewhere, by its `st_mode`, in the place of what is `expected`."""
    rest = "; put what it leads to in its place" if stat.S_ISLNK(mode) else f", not {expected}"
    return f"is {KINDS.get(stat.S_IFMT(mode), 'no regular file')}{rest}"


def stat_path(path: Path) -> os.stat_result | None:
    """What lies at `path` itself, following nothing; None where nothing does. Raises as `opened` does."""
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
    """Whether a folder is there; raises `DamagedError` where something else is."""
    found = stat_path(path)
    if found is not None and not stat.S_ISDIR(found.st_mode):
        raise DamagedError(path, format_wrong_kind(found.st_mode, "a folder"))
    return found is not None


def list_folder(folder: Path) -> list[str]:
    """What lies in a folder, sorted; nothing where it is missing. Raises as `opened` does."""
    try:
        with open_listable(folder) as here:
            return sorted(os.listdir(here))
    except FileNotFoundError:
        return []


def sync_directory(here: int) -> None:
    """Write the names in a folder, by its descriptor, to disk, where its file system and its mode allow that."""
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
    """A descriptor of `folder` by which it can be listed, too."""
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
    """Name and path of every regular file below a folder, in order; links and what they lead to are left out.

    Raises `DamagedError` for anything else than files and folders of whose name `strict` holds.
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
    """The `st_mode` of what has this name; 0 where it is gone meanwhile."""
    try:
        return os.stat(name, dir_fd=within, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; raises as `opened` does."""
    with open_directory(folder, make=True):
        return


def remove_tree(path: Path) -> None:
    """Remove a folder with all below it, as far as that can be; of a link, the link alone. Missing is fine."""
    with suppress(OSError), open_directory(path.parent) as here:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=here, follow_symlinks=False).st_mode):
            shutil.rmtree(path.name, ignore_errors=True, dir_fd=here)
        else:
            os.unlink(path.name, dir_fd=here)


def remove_file(path: Path) -> None:
    """Remove a file, or a link itself; missing is fine."""
    try:
        with open_directory(path.parent) as here:
            os.unlink(path.name, dir_fd=here)
    except FileNotFoundError:
        return


def rename(old: Path, new: Path) -> None:
    """Give a file or folder another name, in place of a file that has it; raises as `opened` does."""
    with open_directory(old.parent) as here, open_directory(new.parent) as there:
        try:
            os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(old), None, str(new)) from error
