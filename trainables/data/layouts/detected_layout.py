"""How a source was understood: which folder or files are which split, what was taken, what was not."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trainables.common.sanitized_text import printable
from trainables.data.layouts.left_out import LeftOut
from trainables.data.layouts.left_out_counts import count_left_out, describe_left_out

NAMES = 5
"""Class names that a line shows."""


@dataclass(frozen=True)
class Understood:
    """How a folder of images or parquet files was understood."""

    sources: Mapping[str, str] = field(default_factory=dict)
    """Of each split that the source has: the folder or files that it comes from, relative to the source; under `all`
    where it has no splits."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The parquet columns taken, by what for: image and label; none for folders."""
    left_out: tuple[LeftOut, ...] = ()
    """Files that are not used."""
    warnings: tuple[str, ...] = ()
    """What is doubtful, a line each."""


def list_names(names: Sequence[str]) -> str:
    """The first of some names, quoted, and how many more there are."""
    shown = ", ".join(repr(printable(name)) for name in names[:NAMES])
    return shown + (f" and {len(names) - NAMES:,} more" if len(names) > NAMES else "")


def describe(understood: Understood, classes: Sequence[str], counts: Mapping[str, int]) -> list[tuple[int, str]]:
    """The layout as a short block of lines with their levels; `counts` are images of each split that the source has."""
    splits = [
        f"class folders in {printable(source)} ({counts['train']:,} images), no splits"
        if split == "all"
        else f"{split} = {printable(source)} ({counts[split]:,} images)"
        for split, source in understood.sources.items()
    ]
    columns = ", ".join(f"{use} column {name!r}" for use, name in understood.columns.items())
    return [
        (logging.INFO, f"layout: {', '.join(splits)}" + (f"; {columns}" if columns else "")),
        (logging.INFO, f"{len(classes)} classes: {list_names(classes)}"),
        *((logging.WARNING, line) for line in understood.warnings),
        *describe_left_out(count_left_out(understood.left_out)),
    ]
