"""Stratified, seeded splits for sources that lack a validation or test part."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.sanitized_text import printable
from trainables.data.sources.source import RawSet

CLASSES_SHOWN = 5
"""Classes that an error names."""
SplitName = Literal["train", "val", "test"]
SPLIT_SEED = 20_240_613
"""Of every split drawn; fixed, so that no two searches on one data set disagree on what is test."""
DRAWN_SHARE = 0.15
"""Of the images a missing split is drawn from."""
MAX_DRAWN = 10_000
"""Images in a drawn split at most: beyond that, more would cost epochs and tell little."""

PartRows = tuple[str, NDArray[np.int64]]
"""A source's part, and the rows taken from it, ascending."""
Splits = dict[SplitName, PartRows]


def make_splits(raw: RawSet) -> tuple[Splits, str]:
    """Rows of each split, and in words how they came about.

    A source's test part is the test split. A source with train and val but no test keeps its val part for the test
    (that is the part whose figures get quoted), so that the search never sees it. Whatever is missing then is drawn,
    stratified by class, from train. Raises `UserError` if a class has too few images to be in every split.
    """
    held_out = next((part for part in ("test", "val") if part in raw.parts), None)
    splits: Splits = {}
    rest = np.arange(len(raw.parts["train"].labels))
    words = []
    if held_out:
        splits["test"] = (held_out, np.arange(len(raw.parts[held_out].labels)))
        words.append(f"test = the source's {held_out}{_describe_source(raw, held_out)}")
    else:
        rest, drawn = _draw(raw, rest, "test")
        splits["test"] = ("train", drawn)
        words.append(f"test = {DRAWN_SHARE:.0%} of the images, stratified")
    if has_own_validation(raw):
        splits["val"] = ("val", np.arange(len(raw.parts["val"].labels)))
        words.append(f"val = the source's val{_describe_source(raw, 'val')}")
    else:
        rest, drawn = _draw(raw, rest, "val")
        splits["val"] = ("train", drawn)
        words.append(f"val = {len(drawn) / (len(rest) + len(drawn)):.0%} of the training images, stratified")
    splits["train"] = ("train", rest)
    return splits, "; ".join(words)


def has_own_validation(raw: RawSet) -> bool:
    """Whether the validation split is one of the source's own, rather than drawn from its training images."""
    return "test" in raw.parts and "val" in raw.parts


def _describe_source(raw: RawSet, part: str) -> str:
    """Where a part comes from, where that has another name."""
    source = raw.layout.sources.get(part, part)
    return "" if source.partition("-")[0].removesuffix(".parquet").strip("/") == part else f", {printable(source)}"


def _draw(raw: RawSet, rows: NDArray[np.int64], split: SplitName) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split `rows` of train into those that stay and those drawn, the same share of every class."""
    from sklearn.model_selection import train_test_split

    labels = raw.parts["train"].labels[rows]
    count = min(MAX_DRAWN, max(len(raw.classes), round(DRAWN_SHARE * len(rows))))
    try:
        stay, drawn = train_test_split(rows, test_size=count, stratify=labels, random_state=SPLIT_SEED)
    except ValueError as error:
        raise _too_few_error(raw, split, error) from error
    return np.sort(stay), np.sort(drawn)


def _too_few_error(raw: RawSet, split: SplitName, error: ValueError) -> UserError:
    """The error of a split that cannot be drawn: the classes with fewer images than there are splits, and how many."""
    needed = 4 - len(raw.parts)  # one to train on, and one in each split that is drawn
    counts = np.bincount(raw.parts["train"].labels, minlength=len(raw.classes))
    few = [f"{printable(raw.classes[i])!r} ({counts[i]:,})" for i in np.flatnonzero(counts < needed).tolist()]
    where = f"--data {raw.name!r}: too few training images to draw a {split} split from"
    if not few:
        return UserError(f"{where}: {counts.sum():,} in {len(counts):,} classes ({error})")
    more = f" and {len(few) - CLASSES_SHOWN:,} more" if len(few) > CLASSES_SHOWN else ""
    return UserError(
        f"{where}: class {', '.join(few[:CLASSES_SHOWN])}{more}; a class needs at least {needed}, one for each "
        "split: add images, or leave the class out"
    )
