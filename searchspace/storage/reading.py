"""A search's folder, or that of all, as commands are given it: here, or a copy of what lies at a URL."""

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
"""Ends of names of files that only who runs or exports a model reads."""
GANG_FOLDERS = (TRIALS, CHECKPOINTS, "stores")
"""Folders that no board reads."""


def is_board_file(name: str) -> bool:
    """What boards, reports and replays read: all but weights, models and what lies in trials' folders."""
    return is_export_file(name) and not name.endswith(LARGE_SUFFIXES)


def is_export_file(name: str) -> bool:
    """What exports read: all but what lies in trials' folders, and checkpoints."""
    return not set(GANG_FOLDERS) & set(PurePosixPath(name).parts[:-1])


def is_model_file(name: str) -> bool:
    """What `predict` and `serve` read: ONNX files of the winner, or right there, and which of them is the fastest."""
    return name.removeprefix(f"{WINNER}/") == PurePosixPath(name).name and name.endswith((".onnx", "artefacts.json"))


def open_results(place: str, wanted: FileFilter = is_board_file) -> FolderSync:
    """The folder that `place` is, or a copy of the URL with what is `wanted`; its `push` brings changes back there.

    A search may be named as `find_search` understands.

    Raises `UserError` for a URL that cannot be read, or where there is nothing of that kind.
    """
    try:
        checked = check_location(place)
    except ValueError as error:
        raise UserError(f"{place!r}: {error}") from error
    checked = find_search(checked)
    if not is_url(checked):
        return FolderSync(SearchStorage(folder=str(Path(checked).resolve())))  # from here on no link is followed
    return fetch_copy("folder", checked, "copies", "holds no search", wanted)
