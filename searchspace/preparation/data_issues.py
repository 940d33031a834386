"""Data issues, in output and results: images that were skipped, and images that occur in two splits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.data.copies.copy_pictures import COPY_PICTURES
from trainables.data.copies.copy_summary import CopySummary
from trainables.data.copies.leaked_images import LEAKED_IMAGES
from trainables.data.decoding.bad_images import BAD_IMAGES, read_bad_images
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.left_out import LEFT_OUT
from trainables.data.layouts.left_out_counts import WARNED_REASONS
from trainables.data.store.group_summary import SHARED_GROUPS, GroupSummary
from trainables.storage.files import copy_file, is_file

if TYPE_CHECKING:
    from trainables.data.store.data_summary import DataSummary


def describe_skipped(data: "DataSummary") -> str:
    """One line: how many images were skipped of how many, the first of them, and the list of all."""
    count, first = data.train + data.val + data.test + data.skipped, read_bad_images(Path(data.path))[0]
    return f"skipped {data.skipped:,} bad images of {count:,} ({BAD_IMAGES}); the first: {first}"


def copy_image_lists(data: "DataSummary", folder: Path) -> None:
    """Copy the store's lists of images, where there are any, into a search's results."""
    for name in (BAD_IMAGES, LEAKED_IMAGES, COPY_PICTURES, LEFT_OUT, SHARED_GROUPS):
        if is_file(Path(data.path) / name):
            copy_file(Path(data.path) / name, folder / name)


def describe_absent(absent: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for each split that lacks classes: nothing is measured of them there."""
    return [
        f"{split} has no image of {'class' if len(names) == 1 else f'{len(names):,} classes'} {list_names(names)}, "
        "so nothing is measured of it there"
        for split, names in absent.items()
    ]


def describe_data_issues(data: dict[str, Any]) -> list[str]:
    """Sentences for the winner's page, from the data's summary in `search.json`."""
    lines = []
    if skipped := data.get("skipped"):
        lines.append(f"{skipped:,} bad images were left out of the data: `../{BAD_IMAGES}`.")
    if copies := data.get("copies"):
        said = (line.replace(LEAKED_IMAGES, f"`../{LEAKED_IMAGES}`") for line in CopySummary(**copies).describe())
        lines += [f"{line[:1].upper()}{line[1:]}." for line in said]
    elif leaked := data.get("leaked"):
        lines.append(f"{leaked:,} validation or test images also occur in another split: `../{LEAKED_IMAGES}`.")
    if grouping := data.get("grouping"):
        found = GroupSummary.model_validate(grouping)
        where = f": `../{SHARED_GROUPS}`" if found.shared else ""
        lines += [f"{line}{where}." for line in found.describe(named=False)]
    if grave := sum(found["count"] for found in data.get("left_out", ()) if found["reason"] in WARNED_REASONS):
        lines.append(f"{grave:,} files that may have been meant as images were not used: `../{LEFT_OUT}`.")
    return lines
