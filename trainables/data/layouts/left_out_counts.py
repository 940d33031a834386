"""The files that are not used: their list, and their counts by reason and kind for a search's record and the log."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field

from trainables.common.escaping import decodable, printable, write_csv
from trainables.config import Frozen
from trainables.data.decoding.bad_images import BadImage
from trainables.data.decoding.heif import INSTALL_HEIF
from trainables.data.layouts.left_out import LEFT_OUT, LeftOut, LeftOutReason

REASON_TEXTS: dict[LeftOutReason, str] = {
    LeftOutReason.HEIF: f"to use them, {INSTALL_HEIF}, or convert them to JPEG",
    LeftOutReason.FORMAT: "a format that is not decoded; convert them to JPEG or PNG to use them",
    LeftOutReason.VIDEO: "videos; save their frames as images to use them",
    LeftOutReason.SUFFIX: "images by their content, but not by their suffix; rename them to use them",
    LeftOutReason.MASK: "masks of the images beside them, by their names",
    LeftOutReason.NO_CLASS: "images that lie in no class folder",
    LeftOutReason.NO_ROW: "images that the table does not name",
    LeftOutReason.UNLABELLED_SPLIT: "a split without class folders or labels, so it is not used",
    LeftOutReason.NO_SPLIT: "neither a split nor a class",
    LeftOutReason.NO_IMAGE: "no images",
    LeftOutReason.OUTSIDE: "links out of the data folder; --follow-links follows them",
    LeftOutReason.LINK: "links to what is used already",
    LeftOutReason.RESULTS: "results of searches, or other tools' logs",
    LeftOutReason.HIDDEN: "hidden, or left by the system",
}
"""What is printed about each reason, the most serious first."""
WARNED_REASONS = frozenset({
    LeftOutReason.HEIF, LeftOutReason.FORMAT, LeftOutReason.VIDEO, LeftOutReason.SUFFIX, LeftOutReason.MASK,
    LeftOutReason.NO_CLASS, LeftOutReason.NO_ROW, LeftOutReason.UNLABELLED_SPLIT, LeftOutReason.OUTSIDE,
})  # fmt: skip
"""Reasons that are a warning: the files may have been meant to be used."""
KINDS_SHOWN, KINDS_COUNTED = 6, 20
"""Number of kinds in a line, and of kinds counted for one reason; the others are counted together."""
OTHER_KINDS = "others"
BAD_IMAGE = "bad image"
"""Reason of images that were to be used, in the list."""


class LeftOutCount(Frozen):
    """How many files of one kind are not used, for one reason."""

    reason: LeftOutReason
    """Why they are not used."""
    kind: str
    """Their suffix in lower case, or the folder that holds them."""
    count: int = Field(ge=1)
    """Number of files."""

    def __str__(self) -> str:
        """The count as part of a line."""
        kind = printable(self.kind)
        if self.reason == LeftOutReason.RESULTS:
            return kind
        if kind.endswith("/"):
            return f"{self.count:,} in {kind}"
        return f"{self.count:,} {kind}" if kind else f"{self.count:,} without suffix"


def write_left_out(folder: Path, files: Sequence[LeftOut], bad: Sequence[BadImage] = ()) -> None:
    """Write the list of all that is not used, bad images first, into `folder` as CSV in UTF-8; remove an empty one."""
    if not files and not bad:
        (folder / LEFT_OUT).unlink(missing_ok=True)
        return
    beside = folder / f"{LEFT_OUT}.partial"
    with beside.open("w", newline="", encoding="utf-8") as file:
        rows = [(image.name, BAD_IMAGE, decodable(Path(image.name).suffix.lower()), image.reason) for image in bad]
        rows += [(found.path, found.reason, found.kind, REASON_TEXTS[found.reason]) for found in files]
        write_csv(file, [("path", "reason", "kind", "details"), *rows])
    beside.replace(folder / LEFT_OUT)


def count_left_out(files: Iterable[LeftOut]) -> tuple[LeftOutCount, ...]:
    """Counts by reason, the most serious first, then by kind, the most frequent first."""
    kinds: dict[LeftOutReason, Counter[str]] = {reason: Counter() for reason in REASON_TEXTS}
    for file in files:
        kinds[file.reason][file.kind] += 1
    counts = []
    for reason, found in kinds.items():
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in ranked[KINDS_COUNTED:])
        ranked = [*ranked[:KINDS_COUNTED], *([(OTHER_KINDS, rest)] if rest else [])]
        counts += [LeftOutCount(reason=reason, kind=kind, count=count) for kind, count in ranked]
    return tuple(counts)


def format_left_out(counts: Sequence[LeftOutCount], listed: bool = True) -> list[tuple[int, str]]:
    """Lines with their logging levels: a warning for each serious reason, and one line for all others.

    They name the list of the files where it is written.
    """
    lines, others, where = [], [], f" ({LEFT_OUT})" if listed else ""
    for reason, words in REASON_TEXTS.items():
        if found := [count for count in counts if count.reason == reason]:
            text = f"{_format_counts(found)}: {words}"
            if reason in WARNED_REASONS:
                lines.append((logging.WARNING, f"left out {text}{where}"))
            else:
                others.append(text)
    return [*lines, *([(logging.INFO, f"left out {' · '.join(others)}{where}")] if others else [])]


def _format_counts(counts: Sequence[LeftOutCount]) -> str:
    shown = [str(count) for count in counts[:KINDS_SHOWN]]
    rest = sum(count.count for count in counts[KINDS_SHOWN:])
    return ", ".join([*shown, *([f"{rest:,} {OTHER_KINDS}"] if rest else [])])
