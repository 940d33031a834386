"""One row of the table of layouts in docs/layouts.md: how such data are made, and what becomes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.images.data_sets import images
from trainables.data.data_options import DataOptions


@dataclass(frozen=True)
class LayoutCase:
    """A small input, and what is read of it, or how it is refused."""

    make: Callable[[Path], object]
    """Makes the data set at a path that does not exist yet; returns the path to give, or None for that path."""
    classes: str = ""
    """Names of the classes, separated by spaces; empty where it is refused."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Images of each part of the source."""
    left_out: frozenset[str] = frozenset()
    """Reasons of files that are left out."""
    warns: str = ""
    """Part of a warning."""
    refused: str = ""
    """Part of the error; empty where it is read."""
    options: DataOptions = field(default_factory=DataOptions)
    """Options that are given."""


def tree(**folders: int) -> Callable[[Path], None]:
    """A maker of images in folders: `tree(train__cat=3)` makes three in `train/cat`; 0 makes an empty folder."""

    def make(root: Path) -> None:
        for name, count in folders.items():
            folder = root / name.replace("__", "/")
            folder.mkdir(parents=True, exist_ok=True)
            images(folder, count)

    return make


def files(base: Callable[[Path], object], **content: bytes) -> Callable[[Path], None]:
    """A maker of what `base` makes and other files: `files(base, cat__a_psd=b"8BPS")` adds `cat/a.psd`."""

    def make(root: Path) -> None:
        base(root)
        for name, data in content.items():
            stem, _, suffix = name.rpartition("_")
            file = root / f"{stem.replace('__', '/')}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    return make
