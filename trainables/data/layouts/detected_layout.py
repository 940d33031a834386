"""The layout that was detected in a data set: the source of each split, the columns used, the files left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trainables.common.escaping import printable
from trainables.data.layouts.left_out import LeftOut

NAMES_SHOWN = 5
"""Number of names in a line."""


@dataclass(frozen=True)
class DetectedLayout:
    """How the files of a data set were read."""

    sources: Mapping[str, str] = field(default_factory=dict)
    """The folder, files or arrays of each split, relative to the data set; `all` for class folders without splits."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Names of the parquet columns used, by purpose: image and label; empty for other layouts."""
    left_out: tuple[LeftOut, ...] = ()
    """Files that are not used."""
    warnings: tuple[str, ...] = ()
    """Doubts about the layout, a line each."""


def list_names(names: Sequence[str]) -> str:
    """The first names, quoted, and the number of the others."""
    shown = ", ".join(repr(printable(name)) for name in names[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else "")


def describe_layout(layout: DetectedLayout, counts: Mapping[str, int]) -> str:
    """One line: the source and the number of images of each split, and the columns; `counts` are images by part."""
    sources = layout.sources or {part: part for part in counts}
    splits = [
        f"class folders in {printable(source)} ({counts['train']:,} images), no splits"
        if split == "all"
        else f"{split if source == split else f'{split} = {printable(source)}'} ({counts[split]:,} images)"
        for split, source in sources.items()
    ]
    columns = ", ".join(f"{use} column {printable(name)!r}" for use, name in layout.columns.items())
    return f"layout: {', '.join(splits)}" + (f"; {columns}" if columns else "")
