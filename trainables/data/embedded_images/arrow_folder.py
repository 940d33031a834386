"""Finds the Arrow files of each split in a folder that `save_to_disk` of Hugging Face's `datasets` wrote."""

import json
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError
from trainables.data.decoding.arrow_images import damage_named, open_arrow
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.image_files import LFS_POINTER, read_head
from trainables.data.layouts.left_out import LeftOut, LeftOutReason, leave_out_file, leave_out_hidden
from trainables.data.layouts.listing import is_hidden
from trainables.data.layouts.parquet_files import SplitFiles
from trainables.data.layouts.split_names import read_split_name

DICT_FILE, STATE_FILE, INFO_FILE = "dataset_dict.json", "state.json", "dataset_info.json"


def is_arrow_folder(path: Path) -> bool:
    """Whether a folder was written by `save_to_disk`: a data set, or several as splits; or holds other Arrow files."""
    if not path.is_dir():
        return False
    return (path / DICT_FILE).is_file() or any(path.glob("*.arrow")) or bool(_data_sets_in(path))


def find_arrow_files(path: Path) -> SplitFiles:
    """The files of each split; what is not named in `state.json` is left out.

    Raises `UserError` for a split or file that is missing, damaged, or there twice, and without a train split.
    """
    where = f"--data {str(path)!r}"
    folders = _find_splits(where, path)
    splits = {split: _find_files(folder) for split, folder in folders.items()}
    used = {str(file) for files in splits.values() for file in files}
    return SplitFiles(splits, tuple(_left_out(path, used)))


def read_info(folder: Path) -> dict[str, Any]:
    """The features in `dataset_info.json`, by column; empty if there are none."""
    try:
        found = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))["features"]
        return {name: feature for name, feature in found.items() if isinstance(feature, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_data_set(folder: Path) -> bool:
    return (folder / STATE_FILE).is_file() and any(folder.glob("*.arrow"))


def _data_sets_in(path: Path) -> list[Path]:
    try:
        return sorted(folder for folder in path.iterdir() if folder.is_dir() and _is_data_set(folder))
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error.strerror or error})") from error


def _find_splits(where: str, path: Path) -> dict[str, Path]:
    """The folder of each split."""
    if _is_data_set(path):
        return {"train": path}
    if any(path.glob("*.arrow")):
        raise UserError(
            f"{where}: holds Arrow files without {STATE_FILE}, as the cache of `datasets` does; save the data set in a "
            "folder of its own, by save_to_disk, and give that"
        )
    told = _read_json(path / DICT_FILE).get("splits") if (path / DICT_FILE).is_file() else None
    names = [str(name) for name in told] if isinstance(told, list) else [folder.name for folder in _data_sets_in(path)]
    if missing := [name for name in names if not (path / name / STATE_FILE).is_file()]:
        raise UserError(
            f"{where}: has no split {missing[0]!r}, which {DICT_FILE} names, or no {STATE_FILE} in its folder; copy "
            "the whole folder anew"
        )
    found: dict[str, list[str]] = {}
    for name in names:
        if read := read_split_name(name):
            found.setdefault(read.split, []).append(name)
    for split, same in found.items():
        if len(same) > 1:
            raise UserError(f"{where}: folders {list_names(same)} all mean the {split} split; move all but one away")
    if "train" not in found:
        raise UserError(
            f"{where}: has {list_names(names)}, none of which is named train; give one of them alone, such as --data "
            f"{str(path / names[0])!r}"
            if names
            else f"{where}: {DICT_FILE} names no splits; save the data set anew"
        )
    return {split: path / found[split][0] for split in ("train", "val", "test") if split in found}


def _find_files(folder: Path) -> list[Path]:
    """The Arrow files of a split, in order."""
    state = _read_json(folder / STATE_FILE)
    if state.get("_indices_data_files"):
        raise UserError(
            f"--data {str(folder)!r}: is a selection of rows; save it with flatten_indices().save_to_disk(FOLDER)"
        )
    told = state.get("_data_files")
    names = (
        [str(found.get("filename", "")) for found in told if isinstance(found, dict)] if isinstance(told, list) else []
    )
    if not names or any(Path(name).name != name for name in names):
        raise UserError(f"--data {str(folder / STATE_FILE)!r}: names no Arrow files of this folder; copy it anew")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise UserError(
            f"--data {str(folder)!r}: {len(missing):,} of {len(names):,} files are missing: {list_names(missing)}; "
            "copy them, too"
        )
    files = [folder / name for name in names]
    for file in files:
        _check_content(file)
    return files


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--data {str(file)!r}: is no JSON ({error}); copy the folder anew") from error
    return found if isinstance(found, dict) else {}


def _check_content(file: Path) -> None:
    """Raise `UserError` for a file that is no complete Arrow file."""
    if read_head(file).startswith(LFS_POINTER):
        raise UserError(f"--data: {str(file)!r} is a Git LFS pointer, not the table itself; `git lfs pull` fetches it")
    what = "is empty" if not file.stat().st_size else "is cut short or damaged, or no Arrow file"
    with damage_named(f"--data: {str(file)!r} {what}", "copy it anew"):
        open_arrow(file).validate(full=True)  # wrong offsets would end the process; images themselves are not read


def _left_out(path: Path, used: set[str]) -> list[LeftOut]:
    """Files that are not used, besides those that describe the data set."""
    others = []
    for file in sorted(path.rglob("*")):
        if not file.is_file() or str(file) in used or file.name in {DICT_FILE, STATE_FILE, INFO_FILE}:
            continue
        if is_hidden(file.name):
            others.append(leave_out_hidden(file))
        else:
            reason = LeftOutReason.NO_SPLIT if file.suffix == ".arrow" else LeftOutReason.NO_IMAGE
            others.append(leave_out_file(file, reason))
    return others
