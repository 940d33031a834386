"""Groups of images in a store, and those that are in more than one split: counted, and listed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainables.common.escaping import printable, write_csv
from trainables.config import Frozen
from trainables.data.data_options import DataOptions
from trainables.data.splits import SplitName
from trainables.data.store.image_columns import load_columns

SHARED_GROUPS = "shared-groups.csv"
"""Name of the list of groups in more than one split, in a store and in a search's results."""
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
GroupsBySplit = Mapping[SplitName, NDArray[np.int64]]
"""Number of each image's group in each split; -1 for an image that is a group of its own."""


class SharedGroups(Frozen):
    """Groups of a held-out split that earlier splits have, too: for test these are train and val, for val train."""

    groups: int = Field(ge=1)
    """Number of these groups."""
    images: int = Field(ge=1)
    """Their images in the held-out split."""
    earlier: int = Field(ge=1)
    """Their images in the earlier splits."""
    first: str
    """Name of the first of them."""


class GroupSummary(Frozen):
    """The groups of a data set."""

    by: str
    """What made them: the option and its value."""
    groups: int = Field(ge=0)
    """Number of groups of more than one image."""
    shared: dict[str, SharedGroups] = Field(default_factory=dict)
    """Of val and test: the groups that earlier splits have, too; only splits that have some."""

    def describe(self, named: bool = True) -> list[str]:
        """A sentence for each split with groups of earlier ones, or that there is none; with names if `named`."""
        by = f" ({self.by})" if named else ""
        if not self.shared:
            return [f"{_count(self.groups, 'group')} of several images{by}, each in one split"]
        return [
            f"{_count(found.images, 'image')} of {split} belong to {_count(found.groups, 'group')}{by} that "
            f"{'train has' if split == 'val' else 'train or val have'}, too, with {_count(found.earlier, 'image')}"
            + (f", such as {printable(found.first)!r}" if named else "")
            + f"; figures on {split} may flatter"
            for split, found in self.shared.items()
        ]


def load_groups(folder: Path, train: int) -> GroupsBySplit | None:
    """Groups of the images in the finished store in `folder`, of which `train` are in train; None where it has none."""
    groups, test = (load_columns(within).get("groups") for within in (folder, folder / "test"))
    if groups is None or test is None:
        return None
    return {"train": groups[:train], "val": groups[train:], "test": test}


def summarize_groups(splits: GroupsBySplit, names: tuple[str, ...], options: DataOptions) -> GroupSummary:
    """Count the groups, and those that are in two splits."""
    counts = _count_groups(splits)
    shared = {}
    for place, split in enumerate(SPLITS[1:], 1):
        earlier = counts[:place].sum(axis=0)
        both = np.flatnonzero((counts[place] > 0) & (earlier > 0))
        if len(both):
            shared[str(split)] = SharedGroups(
                groups=len(both), images=int(counts[place][both].sum()), earlier=int(earlier[both].sum()),
                first=_name_group(names, int(both[0])),
            )  # fmt: skip
    by = (
        f"--group-by {printable(options.group_by)}"
        if options.group_by
        else f"--group-column {printable(options.group_column)}"
    )
    return GroupSummary(by=by, groups=int((counts.sum(axis=0) > 1).sum()), shared=shared)


def write_shared_groups(folder: Path, splits: GroupsBySplit, names: tuple[str, ...]) -> None:
    """List the groups in more than one split in `folder`, with their images in each; remove the list if none is."""
    counts = _count_groups(splits)
    both = np.flatnonzero((counts > 0).sum(axis=0) > 1).tolist()
    if not both:
        (folder / SHARED_GROUPS).unlink(missing_ok=True)
        return
    beside = folder / f"{SHARED_GROUPS}.partial"
    with beside.open("w", newline="", encoding="utf-8") as file:
        rows = [(_name_group(names, group), *counts[:, group].tolist()) for group in both]
        write_csv(file, [("group", *SPLITS), *rows])
    beside.replace(folder / SHARED_GROUPS)


def _count_groups(splits: GroupsBySplit) -> NDArray[np.int64]:
    """Images of each group in each split, splits x groups."""
    size = max(int(found.max(initial=-1)) for found in splits.values()) + 1
    return np.stack([np.bincount(splits[split][splits[split] >= 0], minlength=size) for split in SPLITS])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _name_group(names: tuple[str, ...], group: int) -> str:
    return names[group] if group < len(names) else str(group)
