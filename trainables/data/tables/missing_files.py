"""Checks that the cells of a table name files that exist, and says what to do about those that do not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.decoding.bad_images import BadImage, BadImageCause, OnBadImage
from trainables.data.layouts.detected_layout import list_names
from trainables.data.tables.cell_values import Texts
from trainables.data.tables.file_lookup import FileLookup, LookupFault, NamedFile

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]|file:")


@dataclass(frozen=True)
class NamedFiles:
    """The files of the rows of a table."""

    paths: tuple[Path | None, ...]
    """File of each row; None if it is left out."""
    bad_images: list[BadImage]
    """What the rows that are left out name."""


def check_named_files(
    where: str, files: FileLookup, texts: Texts, splits: Sequence[str], wanted: Sequence[bool], on_bad: OnBadImage
) -> NamedFiles:  # fmt: skip
    """The file of each row; only those `wanted` must exist.

    Raises `UserError` for a cell that is empty or may mean several files, and, unless bad images are skipped, for one
    that names no file.
    """
    if None in texts and wanted[texts.index(None)]:
        raise UserError(
            f"{where}: row {texts.index(None) + 1:,} names no image; write its file there, or delete the row"
        )
    found = [files.find(text or "", split) for text, split in zip(texts, splits, strict=True)]
    faults: dict[LookupFault, list[int]] = {}
    for row, (file, needed) in enumerate(zip(found, wanted, strict=True)):
        if file.fault and needed:
            faults.setdefault(file.fault, []).append(row)
    for fault in (LookupFault.UNSUPPORTED_URL, LookupFault.AMBIGUOUS):
        if rows := faults.get(fault):
            raise _refused_error(where, files, texts[rows[0]] or "", rows, found[rows[0]])
    if on_bad == "fail":
        for fault in (LookupFault.MISSING, LookupFault.OUTSIDE):
            if rows := faults.get(fault):
                raise _missing_error(where, files, texts, rows, fault)
    if len(faults.get(LookupFault.MISSING, [])) == len(texts):
        raise _missing_error(where, files, texts, list(range(len(texts))), LookupFault.MISSING)
    bad = {
        LookupFault.MISSING: ("there is no such file", BadImageCause.NO_FILE),
        LookupFault.OUTSIDE: (BadImageCause.OUTSIDE_LINK.value, BadImageCause.OUTSIDE_LINK),
    }
    return NamedFiles(
        tuple(file.path for file in found),
        [BadImage(str(files.root / (texts[row] or "")), *bad[fault]) for fault, rows in faults.items() for row in rows],
    )


def _refused_error(where: str, files: FileLookup, text: str, rows: list[int], found: NamedFile) -> UserError:
    named = f"{where}: row {rows[0] + 1:,} names {printable(text)!r}"
    if found.fault == LookupFault.AMBIGUOUS:
        names = [files.relative(file).as_posix() for file in found.candidates]
        return UserError(
            f"{named}, which may be {list_names(names)}; say which folder the names are of: "
            f"--root {str(found.candidates[0].parent)!r}"
        )
    return UserError(
        f"{named}, a URL that is not downloaded; download the {len(rows):,} images and name their files, or give s3:// "
        "or gs:// URLs"
    )


def _missing_error(where: str, files: FileLookup, texts: Texts, rows: list[int], fault: LookupFault) -> UserError:
    first = texts[rows[0]] or ""
    count = f"{len(rows):,} of {len(texts):,} rows"
    if fault == LookupFault.OUTSIDE:
        return UserError(
            f"{where}: {count} name files out of {str(files.root)!r}, the first {printable(first)!r} in row "
            f"{rows[0] + 1:,}; --follow-links allows that"
        )
    skip = "" if len(rows) == len(texts) else ", or leave these rows out by --on-bad-image skip"
    if _ABSOLUTE.match(first):
        remedy = "write paths relative to a folder, and give that folder as --root"
    else:
        remedy = f"give the folder that paths start from as --root (now {str(files.root)!r})"
    return UserError(
        f"{where}: {count} name files that are not there, the first {printable(first)!r} in row {rows[0] + 1:,}; "
        f"{remedy}{skip}"
    )
