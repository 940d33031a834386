"""Assigns the parquet files of a folder to splits, by their names or their folders' names."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.decoding.arrow_images import damage_named
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.image_files import LFS_POINTER, FileKind, kind_by_name, read_head
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import is_hidden, list_data_folders, list_files, list_images
from trainables.data.layouts.parquet_columns import holds_images
from trainables.data.layouts.split_names import read_split_name, split_words

SHARD_NAME = re.compile(r"(?P<name>.*?)-?(?P<index>\d+)-of-(?P<total>\d+)(?P<rest>.*)")
NUMBERED_NAME = re.compile(r"(?P<name>.*?)(?P<index>\d+)")
SPLITS = ("train", "val", "test")
MAX_DEPTH = 3
"""Maximum depth of folders: `data/CONFIGURATION/SPLIT`."""


@dataclass(frozen=True)
class SplitFiles:
    """The files of a data set that hold tables."""

    splits: dict[str, list[Path]]
    """Files of each split, sorted."""
    left_out: tuple[LeftOut, ...]
    """Files that are not used."""


def is_parquet(path: Path) -> bool:
    """Whether a path is a parquet file with images, or a folder of such rather than a table beside images."""
    if path.is_file():
        return path.suffix.lower() == ".parquet" and _may_hold_images(path)
    if not path.is_dir():
        return False
    try:
        files = _files(path)
        if files and not any(map(_may_hold_images, files)):
            return not list_images(path)
        if files:
            beside_images = any(_begins_with_image(folder) for folder in list_data_folders(path).values())
            return not beside_images or any(_split_of(file) and _may_hold_images(file) for file in files)
        return bool(_below(path, MAX_DEPTH))
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error.strerror or error})") from error


def _may_hold_images(file: Path) -> bool:
    """Whether a file has a column of images; one that cannot be read is to be named when it is opened."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return any(holds_images(field.type) for field in pq.read_schema(file))
    except (OSError, ValueError, pa.ArrowException):
        return True


def find_parquet_files(path: Path, whole: bool = False) -> SplitFiles:
    """Find the parquet files of the data set in `path`, by split; as one table, called train, if `whole`.

    Raises `UserError` if `train` is missing, there are several configurations, or shards are missing or doubled.
    """
    if path.is_file():
        _check_content(path)
        return SplitFiles({"train": [path]}, ())
    where = f"--data {str(path)!r}"
    files = _below(path, MAX_DEPTH)
    found = _by_split(path, files)
    for split, named in found.items():
        if len(named) > 1:
            raise UserError(
                f"{where}: parquet files named {list_names(list(named))} all mean the {split} split; move all but one "
                "of them away"
            )
    splits = {split: files for split in SPLITS if split in found for files in found[split].values()}
    if "train" not in splits and not whole:
        raise UserError(
            f"{where}: no train-*.parquet; has {list_names([file.name for file in files])}, whose names say no split "
            "train; give one of the files, or a column that says each row's split as --split-column"
        )
    for split, shards in splits.items():
        _check_shards(where, split, shards)
    splits = {"train": files} if whole else splits
    for shards in splits.values():
        for file in shards:
            _check_content(file)
    used = {str(file) for shards in splits.values() for file in shards}
    return SplitFiles(splits, tuple(_left_out(path, used)))


def _files(folder: Path) -> list[Path]:
    # Hidden files are left out, such as `._train.parquet` of macOS. Links may lead anywhere, as in Hugging Face's
    # cache: a parquet file holds its images, and cannot refer to others.
    return sorted(file for file in folder.glob("*.parquet") if not is_hidden(file.name) and not file.is_dir())


def _below(path: Path, depth: int) -> list[Path]:
    """Parquet files in `path`, else in its folder `data`, else in its other folders."""
    if files := _files(path):
        return files
    if depth == 0 or _begins_with_image(path):
        return []
    folders = list_data_folders(path)
    if "data" in folders and (files := _below(folders["data"], depth - 1)):
        return files
    return [file for folder in folders.values() for file in _below(folder, depth - 1)]


def _begins_with_image(folder: Path) -> bool:
    """Whether a folder holds images, judged by its first names."""
    with os.scandir(folder) as entries:
        return any(kind_by_name(entry.name) == FileKind.IMAGE for entry, _ in zip(entries, range(100), strict=False))


def _split_of(file: Path) -> str:
    """The split in a file's name, before the number of the shard; empty if there is none."""
    shard = SHARD_NAME.fullmatch(file.stem)
    read = read_split_name(shard["name"] if shard else file.stem.split("-")[0]) or read_split_name(file.stem)
    return read.split if read and (read.is_plain or shard is None) else ""


def _by_split(path: Path, files: Sequence[Path]) -> dict[str, dict[str, list[Path]]]:
    """Files by split, then by the name that says the split: the file's without the shard's number, or the folder's."""
    configurations = sorted({file.parent for file in files} - {path})
    by_folder = {folder: read for folder in configurations if (read := read_split_name(folder.name))}
    others = [folder for folder in configurations if folder not in by_folder]
    tops = {folder.parent for folder in by_folder} | set(others)
    if len(tops) > 1:
        names = [str(folder.relative_to(path)) for folder in sorted(tops)]
        raise UserError(
            f"--data {str(path)!r}: holds several configurations, {list_names(names)}; "
            f"give one of them: --data {str(path / names[0])!r}"
        )
    found: dict[str, dict[str, list[Path]]] = {}
    for file in files:
        read = by_folder.get(file.parent)
        split, name = (read.split, f"{file.parent.name}/") if read else (_split_of(file), _stem(file))
        if split:
            found.setdefault(split, {}).setdefault(name, []).append(file)
    if not found and len({_stem(file) for file in files}) == 1:
        return {"train": {"": list(files)}}  # one table without splits
    return found


def _stem(file: Path) -> str:
    """A file's name without the numbers of its shard."""
    shard = SHARD_NAME.fullmatch(file.stem)
    words = split_words(shard["name"] if shard else file.stem.split("-")[0])
    return "-".join(word for word in words if not word.isdigit())


def _check_shards(where: str, split: str, files: Sequence[Path]) -> None:
    """Raise `UserError` unless the files are the shards of one table, each once."""
    tables: dict[tuple[str, ...], dict[int, Path]] = {}
    for file in files:
        shard = SHARD_NAME.fullmatch(file.stem)
        key = tuple(map(str, shard.group("name", "total", "rest"))) if shard else ("",)
        number = int(shard["index"]) if shard else len(tables.get(key, {}))
        tables.setdefault(key, {})[number] = file
    if len(tables) > 1:
        names = [next(iter(shards.values())).name for shards in tables.values()]
        raise UserError(
            f"{where}: two tables of {split} side by side, such as {list_names(names)}; "
            "every row would count twice: delete the older files"
        )
    ((key, shards),) = tables.items()
    missing = _missing_shards(key, shards) if len(key) > 1 else _gaps(files)
    if missing:
        raise UserError(
            f"{where}: of {split} {len(missing):,} of {len(shards) + len(missing):,} files are missing: "
            f"{list_names(missing)}; download them, too"
        )


def _missing_shards(key: tuple[str, ...], shards: Mapping[int, Path]) -> list[str]:
    name, total, rest = key
    return [
        f"{name}-{number:0{len(total)}}-of-{total}{rest}.parquet"
        for number in range(int(total))
        if number not in shards
    ]


def _gaps(files: Sequence[Path]) -> list[str]:
    """Missing names between files with numbers at the end, such as 0000.parquet and 0002.parquet."""
    read = [NUMBERED_NAME.fullmatch(file.stem) for file in files]
    found = {(match["name"], len(match["index"])): int(match["index"]) for match in read if match}
    numbers = {int(match["index"]) for match in read if match}
    if len(found) != 1 or None in read or len(files) < 2:
        return []
    ((name, digits),) = found
    return [
        f"{name}{number:0{digits}}.parquet" for number in range(min(numbers), max(numbers)) if number not in numbers
    ]


def _check_content(file: Path) -> None:
    """Raise `UserError` for a file that is not a parquet file, saying what it is."""
    import pyarrow.parquet as pq

    if read_head(file).startswith(LFS_POINTER):
        raise UserError(f"--data: {str(file)!r} is a Git LFS pointer, not the table itself; `git lfs pull` fetches it")
    what = "is empty" if not file.stat().st_size else "is cut short, or no parquet file"
    with damage_named(f"--data: {str(file)!r} {what}", "download it again"):
        pq.read_schema(file)


def _left_out(path: Path, used: set[str]) -> list[LeftOut]:
    found = list_files(path)
    images = [*map(str, found.images), *(image.name for image in found.bad_images)]
    others = [LeftOut(image, LeftOutReason.NO_SPLIT, Path(image).suffix.lower()) for image in images]
    for file in found.left_out:
        if file.path not in used:
            is_table = file.reason == LeftOutReason.NO_IMAGE and file.kind == ".parquet"
            others.append(LeftOut(file.path, LeftOutReason.NO_SPLIT, file.kind) if is_table else file)
    return others
