"""The place of a report or an export: in the search's folder, or at `--output`; never in a folder of another user."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchspace.spec import load_facts, load_spec
from searchspace.storage.open_results import is_export_file
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import UserError
from trainables.common.escaping import shown
from trainables.storage.files import copy_file
from trainables.storage.folder_sync import FolderSync
from trainables.storage.folders import files_below, is_folder, list_folder
from trainables.storage.ownership import check_owned
from trainables.storage.write_errors import PERMISSION_ERRORS, WRITE_ONLY_ERRORS, is_about

REMADE_SUFFIXES = (".onnx", ".pt2", ".html")
"""Suffixes of files that an export makes anew."""
MAX_COPY_BYTES = 8_000_000_000
"""Size of the largest file that is copied."""
REPORT_SUFFIXES = (".html", ".htm")
NO_PLACE_ERRORS = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR}
"""Errors of a path where no file can be made."""


@contextmanager
def explain_write_errors(folder: Path, output: str, flag: str = "--output") -> Iterator[None]:
    """Raise `UserError` in place of an OSError of writing to `output`, or to `folder` where that is empty.

    `flag` is the option that says where to write.
    """
    target = Path(os.path.realpath(os.path.expanduser(output) if output else folder))
    try:
        yield
    except OSError as error:
        if not is_about(error, target) and error.errno not in WRITE_ONLY_ERRORS:
            raise
        if error.errno not in WRITE_ONLY_ERRORS | PERMISSION_ERRORS | (
            NO_PLACE_ERRORS if output else set()
        ):  # else a file that was read may be missing
            raise
        reason = os.strerror(error.errno or 0)
        if error.filename is not None and not is_about(error, target):
            raise UserError(f"{shown(Path(os.fsdecode(error.filename)))}: cannot be written ({reason})") from error
        if output:
            raise UserError(f"{flag} {output!r}: cannot be written ({reason}); give another place") from error
        raise UserError(
            f"{shown(target)}: cannot be written ({reason}); give {flag} PATH to write elsewhere"
        ) from error


def check_own_folder(sync: FolderSync, place: str) -> None:
    """Raise `UserError` unless the folder that was read belongs to the user, with all below it; a copy of a URL does.

    Other users who may write there could replace the files that would be written.
    """
    try:
        if not sync.storage.url:
            check_owned(sync.folder)
    except UserError as error:
        raise UserError(f"{place!r}: is not yours alone ({error}); or give --output PATH to write elsewhere") from error


def report_file(folder: Path, output: str, name: str) -> Path:
    """The report file that `--output` means: itself, or `name` in that folder; raises `UserError` within `folder`."""
    target = _named(folder, output)
    return target if target.suffix.lower() in REPORT_SUFFIXES and not target.is_dir() else target / name


def copy_search(folder: Path, output: str) -> Path:
    """Copy what exports read of the search in `folder` to `--output`: its record, study and classifiers.

    Raises `UserError` where something else is there, and `DamagedError` for links and other irregular files.
    """
    target = _named(folder, output)
    if is_folder(target) and list_folder(target) and not _is_copy(folder, target):
        raise UserError(f"--output {output!r}: holds something else; give a new or empty folder")
    for name, path in files_below(folder, strict=is_export_file):
        if is_export_file(name) and not name.endswith(REMADE_SUFFIXES):
            copy_file(path, target / name, MAX_COPY_BYTES)
    return target


def _named(folder: Path, output: str) -> Path:
    try:
        target = Path(os.path.expanduser(output)).resolve()
    except RuntimeError as error:  # Python 3.11 and 3.12 raise it
        raise UserError(f"--output {output!r}: is a loop of links; give another place") from error
    if target == folder or folder in target.parents or target in folder.parents:
        raise UserError(f"--output {output!r}: lies in {str(folder)!r}, or around it; give another place")
    return target


def _is_copy(folder: Path, target: Path) -> bool:
    """Whether `target` holds an earlier export of the same search."""
    if SEARCH_RECORD not in list_folder(target):
        return False
    identities = [(load_spec(here).study_name, load_facts(here).get("started")) for here in (folder, target)]
    return identities[0] == identities[1]
