"""Doubtful images: those that were skipped, and those that occur in two splits, in a search's words and results."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.data.bad import BAD_IMAGES, read_bad
from trainables.data.leaks import LEAKED_IMAGES

if TYPE_CHECKING:
    from trainables.data.summary import DataSummary


def describe_skipped(data: "DataSummary") -> str:
    """One line: how many images were skipped of how many, the first of them, and the list of all."""
    count, first = data.train + data.val + data.test + data.skipped, read_bad(Path(data.path))[0]
    return f"skipped {data.skipped:,} bad images of {count:,} ({BAD_IMAGES}); the first: {first}"


def keep_lists(data: "DataSummary", folder: Path) -> None:
    """Copy the store's lists of images, where there are any, into a search's results."""
    for name in (BAD_IMAGES, LEAKED_IMAGES):
        if (Path(data.path) / name).is_file():
            shutil.copyfile(Path(data.path) / name, folder / name)


def tell_doubtful(data: dict[str, Any]) -> list[str]:
    """Sentences for the winner's page, from the data's summary in `search.json`."""
    lines = []
    if skipped := data.get("skipped"):
        lines.append(f"{skipped:,} bad images were left out of the data: `../{BAD_IMAGES}`.")
    if leaked := data.get("leaked"):
        lines.append(f"{leaked:,} validation or test images also occur in another split: `../{LEAKED_IMAGES}`.")
    return lines
