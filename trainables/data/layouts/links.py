"""Images that are reached twice through links: each is used once, and has one class."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.left_out import LeftOutReason, leave_out_file
from trainables.data.layouts.listing import FileListing


@dataclass(frozen=True)
class _Use:
    """One image of a class of a part."""

    part: str
    name: str
    listing: FileListing
    file: Path


def take_out_links(parts: Mapping[str, Mapping[str, FileListing]], root: Path) -> list[str]:
    """Leave out links to images that the same class of the same part has already; returns warnings, a line each.

    The same image in two parts stays, with a warning. Raises `UserError` if two classes have an image.
    """
    if not any(listing.linked for classes in parts.values() for listing in classes.values()):
        return []
    uses = list(_list_uses(parts))
    linked = [use for use in uses if use.file in use.listing.linked]
    real = root.resolve()
    known = {str(real / use.file.relative_to(root)): [use] for use in uses if use.file not in use.listing.linked}
    repeated, shared = set[Path](), Counter[tuple[str, str]]()
    for use in linked:
        same = known.setdefault(os.path.realpath(use.file), [])
        if other := next((found for found in same if found.name != use.name), None):
            raise _two_classes_error(root, other, use)
        if any(found.part == use.part for found in same):
            repeated.add(use.file)
            use.listing.left_out.append(leave_out_file(use.file, LeftOutReason.LINK))
        else:
            shared.update((use.part, found.part) for found in same[:1])
            same.append(use)
    for listing in {id(use.listing): use.listing for use in linked}.values():
        listing.images[:] = [file for file in listing.images if file not in repeated]
    return [f"{count:,} images of {part} are links to images of {other}" for (part, other), count in shared.items()]


def _list_uses(parts: Mapping[str, Mapping[str, FileListing]]) -> Iterator[_Use]:
    for part, classes in parts.items():
        for name, listing in classes.items():
            yield from (_Use(part, name, listing, file) for file in listing.images)


def _two_classes_error(root: Path, one: _Use, other: _Use) -> UserError:
    return UserError(
        f"--data {str(root)!r}: {str(other.file.relative_to(root))!r} is a link to an image of another class, "
        f"{str(one.file.relative_to(root))!r}; an image has one class: delete the link, or put a copy of the image in "
        "its place and delete the other"
    )
