"""What is said of how a source was understood, before any of it is decoded."""

from collections.abc import Mapping, Sequence

from trainables.common.sanitized_text import printable
from trainables.data.layouts.detected_layout import Understood, list_names
from trainables.data.layouts.left_out_counts import count_left_out, describe_left_out


def describe(understood: Understood, classes: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """The layout as a short block of lines; `counts` are images of each split that the source has."""
    splits = [
        f"class folders in {printable(source)} ({counts['train']:,} images), no splits"
        if split == "all"
        else f"{split} = {printable(source)} ({counts[split]:,} images)"
        for split, source in understood.sources.items()
    ]
    columns = ", ".join(f"{use} column {name!r}" for use, name in understood.columns.items())
    return [
        f"layout: {', '.join(splits)}" + (f"; {columns}" if columns else ""),
        f"{len(classes)} classes: {list_names(classes)}",
        *(f"warning: {line}" for line in understood.warnings),
        *describe_left_out(count_left_out(understood.left_out)),
    ]
