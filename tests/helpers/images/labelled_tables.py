"""Small tables of labelled images, and what the table source makes of them."""

from collections.abc import Mapping
from pathlib import Path

from tests.helpers.images.data_sets import image
from trainables.data.sources.source import RawSet


def image_names(count: int = 8) -> list[str]:
    return [f"{number:03}.png" for number in range(1, count + 1)]


def labels_of(names: list[str]) -> dict[str, str]:
    """Names of images, half of them of a cat and half of a dog, in turns."""
    return {name: ("cat", "dog")[place % 2] for place, name in enumerate(names)}


def make_images(folder: Path, names: list[str]) -> list[Path]:
    return [image(folder / name, number) for number, name in enumerate(names)]


def write_csv_table(file: Path, labels: Mapping[str, str], header: str = "image,label") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    separator = next(mark for mark in ",;\t" if mark in header)
    file.write_text("\n".join([header, *(separator.join(row) for row in labels.items())]) + "\n", encoding="utf-8")
    return file


def read_back(raw: RawSet) -> dict[str, dict[str, str]]:
    """Of each split, the class of each image by its path."""
    return {
        split: {part.path(row): raw.classes[label] for row, label in enumerate(part.labels.tolist())}
        for split, part in raw.parts.items()
        if part.path is not None
    }
