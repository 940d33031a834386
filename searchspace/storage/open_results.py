"""Opening results for reading, as commands name them: a local folder, or a copy of a URL."""

from pathlib import Path, PurePosixPath

from searchspace.storage.search_folder import TRIALS, WINNER
from searchspace.storage.search_names import find_search
from trainables.common.errors import UserError
from trainables.config import CHECKPOINTS
from trainables.storage.folder_sync import FileFilter, FolderSync
from trainables.storage.local_copy import fetch_copy
from trainables.storage.object_store.remote import check_location, is_url
from trainables.storage.search_storage import SearchStorage

LARGE_SUFFIXES = (".safetensors", ".onnx", ".pt2", ".db", ".html")
"""Suffixes of files that only prediction, serving and export read."""
GANG_FOLDERS = (TRIALS, CHECKPOINTS, "stores")
"""Folders that only gangs read."""


def is_board_file(name: str) -> bool:
    """Whether boards, reports and replays read a file: all but weights, models and the trials' folders."""
    return is_export_file(name) and not name.endswith(LARGE_SUFFIXES)


def is_export_file(name: str) -> bool:
    """Whether exports read a file: all but the trials' folders and checkpoints."""
    return not set(GANG_FOLDERS) & set(PurePosixPath(name).parts[:-1])


def is_model_file(name: str) -> bool:
    """Whether `predict` and `serve` read a file: ONNX files of the winner or the given folder, and their record."""
    return name.removeprefix(f"{WINNER}/") == PurePosixPath(name).name and name.endswith((".onnx", "artefacts.json"))


def open_results(place: str, wanted: FileFilter = is_board_file) -> FolderSync:
    """The folder `place`, or a copy of the URL `place` with the files that are `wanted`; its `push` uploads changes.

    A search may be named in any way that `find_search` accepts.

    Raises `UserError` for a URL that cannot be read, or where there is no such file.
    """
    try:
        checked = check_location(place)
    except ValueError as error:
        raise UserError(f"{place!r}: {error}") from error
    checked = find_search(checked)
    if not is_url(checked):
        return FolderSync(SearchStorage(folder=str(Path(checked).resolve())))  # from here on no link is followed
    return fetch_copy("folder", checked, "copies", "holds no search", wanted)
