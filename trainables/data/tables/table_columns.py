"""Decides which column of a table holds the images, the labels, the splits: by options, by content, else by names.

A choice that is not sure is an error that lists the candidates, with the option that decides.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainables.common.errors import UserError, suggest
from trainables.common.escaping import printable
from trainables.data.data_options import DataOptions
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.image_files import FileKind, kind_by_name
from trainables.data.layouts.split_names import read_split_name, split_words
from trainables.data.tables.cell_values import Texts, spread, without_decimals
from trainables.data.tables.label_columns import choose_label

SAMPLED_CELLS = 200
"""Cells of a column that are looked up to tell whether it names files."""
NEARLY_ALL = 0.9
"""Share of a column's cells that name files where it is the image column."""
IMAGE_WORDS = frozenset({
    "image", "images", "img", "imgs", "imageid", "imgid", "imagename", "imagepath", "file", "files", "filename",
    "filenames", "filepath", "fname", "path", "paths", "picture", "photo", "pic", "id",
})  # fmt: skip
"""Words in names of columns that name images."""
OTHER_IMAGE_WORDS = frozenset({
    "mask", "masks", "seg", "segmentation", "label", "labels", "depth", "thumbnail", "thumb", "annotation", "xml",
    "json", "target", "heatmap", "bbox",
})  # fmt: skip
"""Words in names of columns with files that are not the image to classify."""
SPLIT_NAMES = frozenset({"split", "set", "subset", "partition", "phase", "usage", "dataset", "fold"})
"""Names, without separators, of columns that may hold splits."""
Columns = Mapping[str, Texts]
"""The columns of a table as text, by name."""


@dataclass(frozen=True)
class TableColumns:
    """What the columns of a table are for."""

    image: str
    """Names image files."""
    labels: tuple[str, ...]
    """The label column; several columns, one a class, if labels are one-hot."""
    split: str = ""
    """The split of each image; empty if there is none."""
    group: str = ""
    """The group of each image; empty if there is none."""
    weight: str = ""
    """The weight of each image; empty if there is none."""

    @property
    def is_one_hot(self) -> bool:
        """Whether each class has a column."""
        return len(self.labels) > 1

    @property
    def described(self) -> dict[str, str]:
        """The columns by their purpose, as they are printed."""
        label = self.labels[0] if not self.is_one_hot else f"{self.labels[0]} … {self.labels[-1]} (one-hot)"
        found = {"image": self.image, "label": label, "split": self.split, "group": self.group, "weight": self.weight}
        return {use: name for use, name in found.items() if name}


def choose_columns(
    where: str, columns: Columns, options: DataOptions, is_file: Callable[[str], bool]
) -> TableColumns:  # fmt: skip
    """Choose the columns; `is_file` tells whether a cell names an image file.

    Raises `UserError` for an option that names no column, a choice that is not sure, or a table of pixels.
    """
    given = {
        option: name
        for option in ("image_column", "label_column", "split_column", "group_column", "weight_column")
        if (name := getattr(options, option))
    }
    for option, name in given.items():
        if name not in columns:
            flag = f"--{option.replace('_', '-')}"
            raise UserError(
                f"{where}: has no column {name!r}; {flag} is one of {list_names(list(columns))}{suggest(name, columns)}"
            )
    _check_pixels(where, columns)
    split = options.split_column or _find_split(columns, given)
    known = {*given.values(), split} - {options.image_column, options.label_column}
    rest = {name: texts for name, texts in columns.items() if name not in known}
    image = options.image_column or _choose_image(where, rest, options.label_column, is_file)
    labels = (
        (options.label_column,)
        if options.label_column
        else choose_label(where, {name: texts for name, texts in rest.items() if name != image})
    )
    if image in labels:
        raise UserError(f"{where}: column {image!r} cannot be images and labels; give --image-column or --label-column")
    return TableColumns(image, labels, split, options.group_column, options.weight_column)


def ask_for_column(where: str, what: str, option: str, names: Sequence[str]) -> UserError:
    """The question which of some columns is meant, with the option that answers it."""
    shown = " or ".join(f"{option} {shlex.quote(printable(name))}" for name in names[:4])
    more = f" (or one of {len(names) - 4:,} more)" if len(names) > 4 else ""
    return UserError(f"{where}: which column {what}? Give {shown}{more}")


def _find_split(columns: Columns, given: Mapping[str, str]) -> str:
    """The only column that is named like splits, and most of whose cells name splits, train and another among them."""
    found = []
    for name, texts in columns.items():
        if "".join(split_words(name)) in SPLIT_NAMES and name not in given.values():
            read = {text: read_split_name(text) if text else None for text in set(texts)}
            known = {split.split for split in read.values() if split}
            if known > {"train"} and 2 * sum(read[text] is not None for text in texts) > len(texts):
                found.append(name)
    return found[0] if len(found) == 1 else ""


def _choose_image(where: str, columns: Columns, label: str, is_file: Callable[[str], bool]) -> str:
    """The column whose cells name files, or whose name says so; raises `UserError` if none is sure."""
    shares = {name: share_of_files(texts, is_file) for name, texts in columns.items() if name and name != label}
    found = [name for name, share in shares.items() if share >= NEARLY_ALL]
    found = found or [name for name, share in shares.items() if share > 0 and _is_image_name(name)]
    if not found:
        named = [name for name in shares if _is_image_name(name)]
        paths = [name for name in shares if _names_images(columns[name])]
        found = paths if len(paths) == 1 else [name for name in named if name in paths] or paths or named
    if len(found) > 1:  # numbers of classes may be names of files, too
        most = max(len(set(columns[name])) for name in found)
        found = [name for name in found if 2 * len(set(columns[name])) >= most]
    if len(found) > 1:
        found = [name for name in found if _is_image_name(name)] or found
    if len(found) > 1:
        ranks = {name: _rank_image_name(name) for name in found}
        found = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    if len(found) == 1:
        return found[0]
    if not shares:
        raise UserError(f"{where}: has no column that names images; add one with their paths")
    raise ask_for_column(where, "names the images", "--image-column", found or list(shares))


def share_of_files(texts: Texts, is_file: Callable[[str], bool]) -> float:
    """Share of a column's cells that name files, by a sample of the different ones."""
    sample = spread(list(dict.fromkeys(text for text in texts if text)), SAMPLED_CELLS)
    return sum(map(is_file, sample)) / len(sample) if sample else 0.0


def _is_image_name(name: str) -> bool:
    words = set(split_words(name))
    return bool(words & IMAGE_WORDS) and not words & OTHER_IMAGE_WORDS


def _rank_image_name(name: str) -> int:
    """Paths and file names before ids, which may be the image's or of something else."""
    words = split_words(name)
    return 0 if {"path", "paths", "filepath", "filename", "file", "filenames", "fname", "name"} & set(words) else (
        1 if {"image", "img", "imageid", "imgid"} & set(words) else 2
    )  # fmt: skip


def _names_images(texts: Texts) -> bool:
    """Whether a column's cells have suffixes of images."""
    sample = spread([text for text in texts if text], SAMPLED_CELLS)
    return bool(sample) and all(kind_by_name(text) == FileKind.IMAGE for text in sample)


def _check_pixels(where: str, columns: Columns) -> None:
    """Raise `UserError` for a table whose columns are pixels, such as MNIST's."""
    pixels = [name for name, texts in columns.items() if _is_pixel(name, texts)]
    others = [name for name in columns if name not in pixels]
    if len(pixels) < 16 or len(others) > 8:
        return
    side = round(len(pixels) ** 0.5)
    shape = f"-1, {side}, {side}" if side**2 == len(pixels) else "-1, HEIGHT, WIDTH"
    label = next((name for name in others if "label" in name.lower()), others[0] if others else "label")
    raise UserError(
        f"{where}: columns {list_names(pixels)} are pixels, and a table names image files here; save it as arrays: "
        f"import numpy, pandas; t = pandas.read_csv('FILE'); x = t.drop(columns={others!r}).to_numpy('uint8'); "
        f"numpy.savez('data.npz', images=x.reshape({shape}), labels=t[{label!r}])"
    )


def _is_pixel(name: str, texts: Texts) -> bool:
    """Whether a column has a number in its name, or as its name, and holds values from 0 to 255."""
    if not any(character.isdigit() for character in name) or any(character in name for character in "/."):
        return False
    sample = without_decimals(spread(texts, 20))
    return all(text is not None and text.isdigit() and int(text) < 256 for text in sample)
