"""Images that cannot be used: their names, the reasons, and their list."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from trainables.common.errors import UserError
from trainables.common.escaping import printable, read_csv, write_csv

OnBadImage = Literal["fail", "skip"]
"""Whether a bad image is an error, or is left out, counted and listed."""
BAD_IMAGES = "bad-images.csv"
"""Name of the list of bad images, in a store and in a search's results."""
SKIP_HINT = "`--on-bad-image skip` leaves bad images out"


class BadImageCause(StrEnum):
    """Why an image cannot be used; the value is the text where there are no details."""

    BROKEN_LINK = "a link that leads nowhere"
    """A symbolic link without a target."""
    OUTSIDE_LINK = "a link that leads out of the data folder; --follow-links follows it"
    """A symbolic link that must not be followed."""
    NO_FILE = "no regular file"
    """A folder, pipe or device with the name of an image."""
    EMPTY = "empty"
    """A file without content."""
    NO_IMAGE = "no image, or its header is damaged"
    """Content in no known format of images."""
    OTHER_CONTENT = "other content"
    """Content in a known format that is not decoded, such as a web page."""
    TOO_LARGE = "too large"
    """More pixels, bytes or scans than the limits allow."""
    UNDECODABLE = "cannot be decoded"
    """Damaged content."""


@dataclass(frozen=True)
class BadImage:
    """One image that cannot be used."""

    name: str
    """Its file, or its part and row."""
    reason: str
    """Why, in a few words and one line."""
    cause: BadImageCause | None = field(default=None, compare=False)
    """Why, for decisions; None if the image was read from a list, which holds the text only."""

    def __str__(self) -> str:
        """One line."""
        return f"{printable(self.name)} ({self.reason})"


class BadImageError(UserError):
    """The content of an image cannot be used; retrying does not help."""

    def __init__(self, name: str, cause: BadImageCause, reason: str = "") -> None:
        """Error of the image of this name; `reason` is the cause with its details."""
        super().__init__(name, cause, reason)  # all arguments, so that it can be pickled
        self.image = BadImage(name, printable(reason or cause.value), cause)

    def __str__(self) -> str:
        """One line."""
        return f"image {self.image}"


def bad_image_error(data: str, bad: Sequence[BadImage]) -> UserError:
    """The error of a search that must not skip bad images; at least one is known."""
    more = f"; {len(bad) - 1:,} more bad images are known so far" if len(bad) > 1 else ""
    return UserError(f"--data {data!r}: bad image {bad[0]}{more}; {SKIP_HINT}")


def lost_class_error(where: str, name: str, split: str, first: BadImage | None) -> UserError:
    """The error of a class that has no image left in a split without bad ones, of which `first` is one."""
    return UserError(
        f"{where}: without bad images class {printable(name)!r} has none left in {split}"
        + (f"; the first of them: {first}" if first else "")
        + "; repair or replace them, or take the class out of the data"
    )


def write_bad_images(folder: Path, bad: Sequence[BadImage]) -> None:
    """Write the list of bad images into `folder`, as CSV in UTF-8."""
    with (folder / BAD_IMAGES).open("w", newline="", encoding="utf-8") as file:
        write_csv(file, [("path", "reason"), *((image.name, image.reason) for image in bad)])


def read_bad_images(folder: Path) -> list[BadImage]:
    """Read the list in `folder`; empty if there is none."""
    if not (folder / BAD_IMAGES).is_file():
        return []
    with (folder / BAD_IMAGES).open(newline="", encoding="utf-8") as file:
        return [BadImage(row["path"], row["reason"]) for row in read_csv(file)]
