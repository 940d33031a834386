"""Refuses data that are still packed, in zip or tar files, and says how to unpack them."""

import shlex
import tarfile
from itertools import islice
from pathlib import Path, PurePosixPath

from trainables.common.errors import UserError
from trainables.data.layouts.image_files import FileKind, kind_by_name
from trainables.data.layouts.listing import holds_images, list_files

UNPACKERS = {
    ".zip": "unzip {file} -d FOLDER",
    ".7z": "7z x {file} -oFOLDER",
    ".rar": "unrar x {file} FOLDER/",
    **dict.fromkeys((".tar", ".gz", ".tgz", ".bz2", ".xz"), "mkdir FOLDER && tar -xf {file} -C FOLDER"),
}
"""Commands that unpack archives, by suffix."""
SAMPLE_SUFFIXES = (".cls", ".json", ".txt")
"""Suffixes of labels beside the images of a WebDataset."""
MEMBERS_READ = 20
"""Number of members of a tar file by which a WebDataset is detected."""


def check_unpacked(path: Path) -> None:
    """Raise `UserError` for an archive, and for a folder with archives and no images."""
    packed = _find_archives(path)
    if not packed:
        return
    where, first, count = f"--data {str(path)!r}", packed[0], len(packed)
    what = "is an archive" if first == path else f"holds {count:,} archives, such as {first.name!r}, and no images"
    if _is_web_dataset(first):
        shards = str(first if first == path else first.parent / f"*{first.suffix}")
        raise UserError(
            f"{where}: {what}, in WebDataset's layout; write it as parquet: datasets.load_dataset('webdataset', "
            f"data_files={shards!r}, split='train').to_parquet('train.parquet')"
        )
    command = UNPACKERS[first.suffix.lower()].format(file=shlex.quote(str(first)))
    raise UserError(f"{where}: {what}; unpack {'it' if count == 1 else 'each'}, and give the folder: {command}")


def _find_archives(path: Path) -> list[Path]:
    """The archive that a path is, or those of a folder without images."""
    if path.is_file():
        return [path] if path.suffix.lower() in UNPACKERS else []
    if not path.is_dir():
        return []
    try:
        if holds_images(path, path):
            return []
        found = [Path(file.path) for file in list_files(path).left_out if file.kind in UNPACKERS]
        return found if not any(path.rglob("*.parquet")) else []
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error.strerror or error})") from error


def _is_web_dataset(file: Path) -> bool:
    """Whether a tar file holds images with their labels beside them, by its first members."""
    if file.suffix.lower() != ".tar":
        return False
    try:
        with tarfile.open(file) as opened:
            names = [PurePosixPath(member.name) for member in islice(opened, MEMBERS_READ)]
    except (OSError, tarfile.TarError, ValueError):
        return False
    images = {name.with_suffix("") for name in names if kind_by_name(name.name) == FileKind.IMAGE}
    return any(name.suffix in SAMPLE_SUFFIXES and name.with_suffix("") in images for name in names if name.name)
