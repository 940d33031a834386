"""Labels of ImageNet's and Tiny ImageNet's flat validation folders."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError
from trainables.data.layouts.annotations.named_labels import (
    NamedLabels,
    collect_labels,
    first_file,
    read_lines,
    read_table,
)

TINY_FILES = ("val_annotations.txt", "test_annotations.txt")
"""Tiny ImageNet's: image, class and box in a line, separated by tabs."""
SOLUTION = "LOC_val_solution.csv"
"""Kaggle's: image, and class and box of each object of that class."""
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
"""The development kit's: the number of the class of each image, in the order of the images' numbers."""
META = "meta.mat"
"""The development kit's table of classes."""
KIT_FOLDERS = ("", "data/", "ILSVRC2012_devkit_t12/data/", "devkit/data/")
VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})")
BOX_VALUES = 5
"""Words of one object in the solution: class and box."""


def read_tiny(places: Sequence[Path], _names: Collection[str]) -> NamedLabels | None:
    """Tiny ImageNet's labels, from the file in the images' folder or the one above."""
    if not (file := first_file(places[:2], TINY_FILES)):
        return None

    def rows() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(read_lines(file), 1):
            image, *values = line.split("\t")
            if line.strip() and not (values and image.strip() and values[0].strip()):
                raise _line_error(file, number, "an image and its class, separated by a tab")
            if values:
                yield image.strip(), values[0].strip()

    return NamedLabels(collect_labels(file, rows()), (file,))


def read_solution(places: Sequence[Path], names: Collection[str]) -> NamedLabels | None:
    """Labels by Kaggle's solution of the validation images."""
    file = first_file(places, [SOLUTION])
    if not file or not any(VALIDATION_NAME.match(name) for name in names):
        return None

    def rows() -> Iterator[tuple[str, str]]:
        _, lines = read_table(file)
        for number, row in lines:
            words = row[1].split() if len(row) == 2 else []
            objects = set(words[::BOX_VALUES])
            if len(objects) != 1 or len(words) % BOX_VALUES:
                raise _line_error(file, number, "an image, and boxes of one class")
            yield row[0], objects.pop()

    return NamedLabels(collect_labels(file, rows()), (file,), by_stem=True)


def read_development_kit(places: Sequence[Path], names: Collection[str]) -> NamedLabels | None:
    """Labels by the development kit; raises `UserError` if its table of classes is missing."""
    file = first_file(places, [f"{folder}{GROUND_TRUTH}" for folder in KIT_FOLDERS])
    numbers = {match[0]: int(match[1]) for name in names if (match := VALIDATION_NAME.match(name))}
    if not file or not numbers:
        return None
    meta = first_file([file.parent, *places], [META])
    if not meta:
        raise UserError(
            f"--data: {str(file)!r} labels images by numbers, whose classes are in {META!r}, which is not there; put "
            "it beside that file (both are in ILSVRC2012_devkit_t12.tar.gz)"
        )
    labels, classes = read_lines(file), _read_classes(meta)
    if max(numbers.values()) > len(labels) or not set(map(str.strip, labels)) <= set(classes):
        raise UserError(
            f"--data: {str(file)!r} and {str(meta)!r} do not belong to these images: {len(labels):,} labels for "
            f"image numbers up to {max(numbers.values()):,}; extract both from ILSVRC2012_devkit_t12.tar.gz anew"
        )
    found = {stem: classes[labels[number - 1].strip()] for stem, number in numbers.items() if number}
    return NamedLabels(found, (file, meta), by_stem=True)


def _read_classes(meta: Path) -> dict[str, str]:
    """Classes by number, as text; the table also holds groups of classes, which no image is labelled with."""
    from scipy.io import loadmat

    try:
        synsets: Any = loadmat(str(meta), squeeze_me=True, variable_names=["synsets"])["synsets"]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in synsets}
    except Exception as error:  # the reader raises all kinds of exceptions for other content
        raise UserError(
            f"--data: {str(meta)!r} is not ImageNet's table of classes ({error or type(error).__name__}); extract it "
            "from ILSVRC2012_devkit_t12.tar.gz anew"
        ) from error


def _line_error(file: Path, number: int, expected: str) -> UserError:
    return UserError(f"--data: line {number} of {str(file)!r} is not {expected}; mend or delete it")


READERS: tuple[Callable[[Sequence[Path], Collection[str]], NamedLabels | None], ...] = (
    read_tiny,
    read_solution,
    read_development_kit,
)
"""Readers of these files, for the folders from the images' up to the data set's, and the images' names."""
