"""Checks that every class has images to train on; the error names all that have none, with what can be done."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.decoding.heif import INSTALL_HEIF
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.left_out import LeftOutReason
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.layouts.listing import FileListing

ClassListings = Mapping[str, FileListing]
"""The listing of each class of a part."""


def check_trained_classes(path: Path, parts: Mapping[str, ClassListings]) -> None:
    """Raise `UserError` for classes without training images, readable or not.

    Empty folders of classes that train does not have are no classes.
    """
    where = f"--data {str(path)!r}"
    trained = [name for name, listing in parts["train"].items() if not _is_empty(listing)]
    for part, classes in parts.items():
        found = [name for name, listing in classes.items() if not _is_empty(listing)]
        if trained and found and not set(found) & set(trained):
            raise UserError(
                f"{where}: none of the classes of {part} ({list_names(found)}) is one of train's "
                f"({list_names(trained)}); name its folders as those of train, or move {part} out of the data folder"
            )
    tested = {name for classes in parts.values() for name, listing in classes.items() if not _is_empty(listing)}
    if untrained := sorted(tested - set(trained)):
        raise UserError(f"{where}: {_describe_untrained(parts, untrained, trained)}")
    if empty := [name for name in parts["train"] if name not in tested]:
        raise UserError(f"{where}: {_describe_empty(parts, empty)}")


def _is_empty(listing: FileListing) -> bool:
    return not (listing.images or listing.bad_images)


def _describe_untrained(parts: Mapping[str, ClassListings], names: Sequence[str], trained: Sequence[str]) -> str:
    """What is wrong with classes that only val or test have, and what can be done."""
    counts = {part: sum(_count(classes, name) for name in names) for part, classes in parts.items()}
    holding = ", ".join(f"{count:,} of {part}" for part, count in counts.items() if count)
    alike = [(name, known) for name in names for known in trained if name.casefold() == known.casefold()]
    one = len(names) == 1
    hint = f"; train has {alike[0][1]!r}, which differs from {alike[0][0]!r} in case alone" if alike else ""
    return (
        f"{'class folder' if one else 'class folders'} {list_names(names)} {'has' if one else 'have'} images "
        f"({holding}), but none of train: what is tested must be trained on, too; put some into train's "
        f"{'folder' if one else 'folders'} {list_names(names)}, or delete {'that folder' if one else 'those folders'} "
        f"elsewhere{hint}"
    )


def _count(classes: ClassListings, name: str) -> int:
    return len(classes[name].images) + len(classes[name].bad_images) if name in classes else 0


def _describe_empty(parts: Mapping[str, ClassListings], names: Sequence[str]) -> str:
    """What is wrong with class folders without images, and what can be done."""
    one, everywhere = len(names) == 1, " from every split" if len(parts) > 1 else ""
    what = f"{'class folder' if one else 'class folders'} {list_names(names)} {'holds' if one else 'hold'} no images"
    counts = count_left_out(file for name in names for file in parts["train"][name].left_out)
    kinds = {reason: ", ".join(f"{found.count:,} {found.kind}" for found in counts if found.reason == reason)
             for reason in (LeftOutReason.HEIF, LeftOutReason.FORMAT, LeftOutReason.SUFFIX)}  # fmt: skip
    undecoded = ", ".join(filter(None, (kinds[LeftOutReason.HEIF], kinds[LeftOutReason.FORMAT])))
    if kinds[LeftOutReason.HEIF]:
        return f"{what} that are decoded here ({undecoded}); {INSTALL_HEIF}, or convert them to JPEG or PNG"
    if undecoded:
        return f"{what} that are decoded here ({undecoded}); convert them to JPEG or PNG"
    if kinds[LeftOutReason.SUFFIX]:
        return f"{what} by their suffixes ({kinds[LeftOutReason.SUFFIX]}), but by content; rename them to .jpg or such"
    folders = "the folder" if one else "the folders"
    return f"{what}; put some there, or, if {'it is' if one else 'they are'} no class, delete {folders}{everywhere}"
