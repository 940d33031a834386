"""Finds the images to classify, files and those in folders; other files of a folder are reported."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError, suggest
from trainables.data.decoding.bad_images import BadImage
from trainables.data.decoding.decode import FORMATS
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import list_files

STDIN = "-"
"""The name of an image on standard input."""
TRIED_REASONS = (LeftOutReason.HEIF, LeftOutReason.FORMAT, LeftOutReason.SUFFIX)
"""Reasons why training leaves out what is an image: here it is read, or said why it cannot be."""
SILENT_REASON = LeftOutReason.HIDDEN
"""Reason of files that are skipped without a message."""
MAX_NAMED_FILES = 10
"""Files that are named of those that are no images."""


@dataclass(frozen=True)
class PredictionInputs:
    """The images that a command line names."""

    images: list[str | BadImage]
    """Names in order; with its reason one that cannot be opened."""
    left_out: list[str]
    """A line for each folder that holds other files too."""


def find_inputs(given: Sequence[str]) -> PredictionInputs:
    """All images in what is given, folders' in order; raises `UserError` for what is not there, or nothing."""
    inputs = PredictionInputs([], [])
    for name in given:
        path = Path(name)
        if name != STDIN and not os.path.lexists(path):
            beside = [found.name for found in path.parent.glob("*")]
            raise UserError(f"image {name!r}: no such file or folder{suggest(path.name, beside)}")
        if name != STDIN and path.is_dir():
            _add_folder(path, inputs)
        else:
            inputs.images.append(name)
    if not inputs.images:
        told = "".join(f"; {line}" for line in inputs.left_out)
        raise UserError(f"{', '.join(map(repr, given))}: no images there ({', '.join(FORMATS)}){told}")
    return inputs


def _add_folder(folder: Path, inputs: PredictionInputs) -> None:
    try:
        listing = list_files(folder)
    except OSError as error:
        raise UserError(f"folder {str(folder)!r}: cannot be listed ({error})") from error
    found: dict[Path, str | BadImage] = {path: str(path) for path in listing.images}
    found |= {Path(each.path): each.path for each in listing.left_out if each.reason in TRIED_REASONS}
    # A link may lead anywhere: these are the caller's own files, and nothing is learned from them.
    links = [bad.name for bad in listing.bad_images if Path(bad.name).is_dir()]
    files = [bad for bad in listing.bad_images if bad.name not in links]
    found |= {Path(bad.name): bad.name if Path(bad.name).is_file() else bad for bad in files}
    inputs.images.extend(found[path] for path in sorted(found))
    inputs.left_out.extend(
        _say(folder, [each for each in listing.left_out if each.reason not in (*TRIED_REASONS, SILENT_REASON)])
    )
    if links:
        count = "1 link to a folder" if len(links) == 1 else f"{len(links):,} links to folders"
        inputs.left_out.append(f"note: {str(folder)!r} holds {count}, left out: {_name(folder, links)}")


def _say(folder: Path, left_out: Sequence[LeftOut]) -> Iterator[str]:
    """One line on all of them, if there are any."""
    if left_out:
        count = f"{len(left_out):,} that {'is no image' if len(left_out) == 1 else 'are no images'}"
        yield f"note: {str(folder)!r} holds {count}: {_name(folder, [each.path for each in left_out])}"


def _name(folder: Path, paths: Sequence[str]) -> str:
    """The first of some paths, from `folder`, and how many more there are."""
    more = f" and {len(paths) - MAX_NAMED_FILES:,} more" if len(paths) > MAX_NAMED_FILES else ""
    return ", ".join(os.path.relpath(path, folder) for path in paths[:MAX_NAMED_FILES]) + more
