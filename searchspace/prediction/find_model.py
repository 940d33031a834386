"""Finds the exported file to use in a search's folder; it imports neither torch nor pydantic."""

import json
from collections.abc import Iterator
from pathlib import Path

from searchspace.storage.search_folder import SEARCH_RECORD, WINNER
from searchspace.storage.search_names import names_nearby
from trainables.common.errors import UserError, suggest
from trainables.common.escaping import shown
from trainables.storage.files import is_file, read_file
from trainables.storage.folders import list_folder

RECORD = "artefacts.json"
"""What is shipped, in the folder of a winner or student."""
DEFAULT_MODEL = "model.onnx"
"""The file that is taken where no record says which is the fastest."""


def find_model(path: Path) -> Path:
    """The ONNX file that `path` is, or the fastest that is shipped from a search's folder, its winner's or student's.

    Raises `UserError` where there is none.
    """
    path = path.resolve()  # the one that was named; below it no link is followed
    if not path.is_dir():
        if not path.exists():
            beside = [found.name for found in path.parent.glob("*")] if path.parent.is_dir() else []
            hint = suggest(path.name, [*beside, *names_nearby(path)])
            start = "" if path.suffix == ".onnx" or hint else "; searchspace run starts a search"
            raise UserError(f"model {shown(path)}: no such file{start}{hint}")
        return path
    for folder in (path, path / WINNER):
        if found := _by_record(folder) or _by_name(folder):
            return found
    raise UserError(f"model {shown(path)}: {_say_missing(path)}")


def _by_record(folder: Path) -> Path | None:
    """The fastest ONNX file that the record in `folder` names and that is still there."""
    return max(_recorded(folder), default=(0.0, None), key=lambda found: found[0])[1]


def _recorded(folder: Path) -> Iterator[tuple[float, Path]]:
    """Images a second, and the file, of each ONNX file in the record; none where it cannot be read."""
    try:
        for artefact in json.loads(read_file(folder / RECORD))["artefacts"]:
            file = folder / Path(artefact["file"]).name
            if file.suffix == ".onnx" and is_file(file):
                yield float(artefact["speed"]["throughput"]["32"]), file
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return


def _by_name(folder: Path) -> Path | None:
    """The ONNX file in `folder`; of several `model.onnx`. Raises `UserError` for several of other names."""
    files = [folder / name for name in list_folder(folder) if name.endswith(".onnx") and is_file(folder / name)]
    if len(files) > 1 and folder / DEFAULT_MODEL not in files:
        raise UserError(f"model {shown(folder)}: holds several; give one: {', '.join(file.name for file in files)}")
    return folder / DEFAULT_MODEL if folder / DEFAULT_MODEL in files else files[0] if files else None


def _say_missing(path: Path) -> str:
    """What a folder without an ONNX file is, and what to give or do instead."""
    for folder in (path, path / WINNER):
        if (folder / "model.json").is_file():
            search = path if folder != path else path.parent
            return f"ships nothing that onnxruntime runs; `searchspace export {search} --formats onnx` adds that"
    searches = sorted(record.parent.parent for record in path.glob(f"*/winner/{RECORD}"))
    if searches:
        return f"holds searches; give one, such as {shown(searches[0])}"
    if (path / SEARCH_RECORD).is_file():
        return f"is a search without a winner yet; `searchspace run --resume {path.name}` resumes it"
    return f"holds no exported search (no winner/{RECORD}) and no .onnx file"
