"""Stratified, seeded splits for sources that lack a validation or test part."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.group_draw import draw_groups, number_groups
from trainables.data.sources.source import RawSet

CLASSES_SHOWN = 5
"""Number of classes that an error names."""
SplitName = Literal["train", "val", "test"]
SPLIT_SEED = 20_240_613
"""Seed of every drawn split; fixed, so that all searches on a data set share its test split."""
DRAWN_SHARE = 0.15
"""Share of the images that a missing split gets."""
MAX_DRAWN = 10_000
"""Maximum number of images in a drawn split: more would cost time without changing results."""

PartRows = tuple[str, NDArray[np.int64]]
"""A source's part, and rows of it, ascending."""
Splits = dict[SplitName, PartRows]


def make_splits(raw: RawSet) -> tuple[Splits, str]:
    """Choose the rows of each split; returns them, and a description.

    A source's test part is the test split. If a source has train and val but no test, its val part becomes the test
    split, as its figures are usually reported. Missing splits are drawn from train, stratified by class and in whole
    groups where the source has them. Raises `UserError` if a class has too few images, or groups, for every split.
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
        words.append(f"test = {_describe_draw(raw, rest, drawn, 'images', f'{DRAWN_SHARE:.0%}')}")
    if has_own_validation(raw):
        splits["val"] = ("val", np.arange(len(raw.parts["val"].labels)))
        words.append(f"val = the source's val{_describe_source(raw, 'val')}")
    else:
        rest, drawn = _draw(raw, rest, "val")
        splits["val"] = ("train", drawn)
        share = f"{len(drawn) / (len(rest) + len(drawn)):.0%}"
        words.append(f"val = {_describe_draw(raw, rest, drawn, 'training images', share)}")
    splits["train"] = ("train", rest)
    return splits, "; ".join(words)


def has_own_validation(raw: RawSet) -> bool:
    """Whether the source has a validation split that is used as such, rather than one drawn from train."""
    return "test" in raw.parts and "val" in raw.parts


def _describe_source(raw: RawSet, part: str) -> str:
    """The folder or files of a part, if they have another name."""
    source = raw.layout.sources.get(part, part)
    return "" if source.partition("-")[0].removesuffix(".parquet").strip("/") == part else f", {printable(source)}"


def _draw(raw: RawSet, rows: NDArray[np.int64], split: SplitName) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split `rows` of train into rows that stay and rows that are drawn, with equal shares of every class."""
    from sklearn.model_selection import train_test_split

    labels = raw.parts["train"].labels[rows]
    count = min(MAX_DRAWN, max(len(raw.classes), round(DRAWN_SHARE * len(rows))))
    if raw.parts["train"].groups is not None:
        return _draw_groups(raw, rows, split, count)
    try:
        stay, drawn = train_test_split(rows, test_size=count, stratify=labels, random_state=SPLIT_SEED)
    except ValueError as error:
        raise _too_few_error(raw, split, error) from error
    return np.sort(stay), np.sort(drawn)


def _draw_groups(
    raw: RawSet, rows: NDArray[np.int64], split: SplitName, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split `rows` of train like `_draw`, but whole groups, with shares as equal as that allows."""
    part = raw.parts["train"]
    assert part.groups is not None
    labels, groups = part.labels[rows], part.groups[rows]
    wanted = count / len(rows) * np.bincount(labels, minlength=len(raw.classes))
    spared = 2 if split == "test" else 1  # train, and a validation split that is drawn later
    found = draw_groups(labels, groups, wanted, spared, SPLIT_SEED)
    if found.missing:
        raise _too_few_groups_error(raw, split, found.missing)
    return rows[~found.drawn], rows[found.drawn]


def _describe_draw(raw: RawSet, rest: NDArray[np.int64], drawn: NDArray[np.int64], images: str, share: str) -> str:
    """How a split was drawn; `images` and `share` say of what, and how much of it was wanted."""
    part = raw.parts["train"]
    if part.groups is None:
        return f"{share} of the {images}, stratified"
    before = np.bincount(part.labels[np.concatenate([rest, drawn])], minlength=len(raw.classes))
    shares = np.bincount(part.labels[drawn], minlength=len(raw.classes)) / np.maximum(before, 1)
    count = int(number_groups(part.groups[drawn]).max()) + 1
    return (
        f"{len(drawn) / before.sum():.0%} of the {images} in {count:,} whole groups, stratified "
        f"({shares.min():.0%} to {shares.max():.0%} of each class)"
    )


def _too_few_groups_error(raw: RawSet, split: SplitName, classes: tuple[int, ...]) -> UserError:
    """The error of a split that cannot be drawn from whole groups."""
    part, needed = raw.parts["train"], 4 - len(raw.parts)
    assert part.groups is not None
    numbers = number_groups(part.groups)
    counts = {label: len(np.unique(numbers[part.labels == label])) for label in classes}
    few = [f"{printable(raw.classes[i])!r} ({count:,})" for i, count in counts.items() if count < needed]
    where = f"--data {raw.name!r}: too few groups of images to draw a {split} split from"
    if few:
        more = f" and {len(few) - CLASSES_SHOWN:,} more" if len(few) > CLASSES_SHOWN else ""
        return UserError(
            f"{where}: class {', '.join(few[:CLASSES_SHOWN])}{more}; a class needs at least {needed}, one for each "
            "split: add images of other groups, leave the class out of every split, or give splits of your own"
        )
    return UserError(
        f"{where}: the groups of class {printable(raw.classes[classes[0]])!r} hold other classes, too, so that not "
        "every split can have each class: add images of other groups, or give splits of your own"
    )


def _too_few_error(raw: RawSet, split: SplitName, error: ValueError) -> UserError:
    """The error of a split that cannot be drawn, naming the classes with too few images."""
    needed = 4 - len(raw.parts)  # one to train on, and one for each drawn split
    counts = np.bincount(raw.parts["train"].labels, minlength=len(raw.classes))
    few = [f"{printable(raw.classes[i])!r} ({counts[i]:,})" for i in np.flatnonzero(counts < needed).tolist()]
    where = f"--data {raw.name!r}: too few training images to draw a {split} split from"
    if not few:
        return UserError(f"{where}: {counts.sum():,} in {len(counts):,} classes ({error})")
    more = f" and {len(few) - CLASSES_SHOWN:,} more" if len(few) > CLASSES_SHOWN else ""
    return UserError(
        f"{where}: class {', '.join(few[:CLASSES_SHOWN])}{more}; a class needs at least {needed}, one for each "
        "split: add images, or leave the class out of every split"
    )
