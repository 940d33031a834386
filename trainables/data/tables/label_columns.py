"""Chooses the label column of a table, or the columns of one-hot labels, one a class."""

import shlex
from collections.abc import Mapping

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.parquet_columns import COARSE_WORDS, MEASURE_WORDS, NUMBER_WORDS
from trainables.data.layouts.split_names import split_words
from trainables.data.tables.cell_values import Texts, without_decimals

LABEL_NAMES = frozenset({
    "label", "labels", "class", "classes", "category", "categories", "target", "targets", "species", "breed", "y",
    "cls", "groundtruth", "gt", "classname", "classid", "classlabel", "labelname", "diagnosis", "disease", "cultivar",
    "variety", "grade",
})  # fmt: skip
"""Words in names of label columns."""
ONE, ZERO = {"1", "True", "true"}, {"0", "False", "false"}
"""Cells of one-hot columns."""


def choose_label(where: str, columns: Mapping[str, Texts]) -> tuple[str, ...]:
    """The label column among the columns that have no other purpose, or the columns of one-hot labels.

    Raises `UserError` if none can be it, or several.
    """
    named = [name for name in columns if is_label_name(name)]
    named = _choose_same(named, columns) or _narrow(named)
    binary = _find_binary(columns)
    if len(binary) > 2 and set(named) <= set(binary) and set(_count_ones(columns, binary)) == {1}:
        return tuple(binary)  # also where the name of a class has a word such as target
    if len(named) == 1:
        return (named[0],)
    if len(binary) == 2 and set(named) <= set(binary) and set(_count_ones(columns, binary)) == {1}:
        return tuple(binary)
    able = [name for name, texts in columns.items() if name and _may_be_labels(name, texts)]
    if not named and len(able) == 1 and len([name for name in columns if name]) <= 2:
        return (able[0],)
    candidates = named or able
    if len(binary) > 2 and set(candidates) <= set(binary):
        raise _several_labels_error(where, columns, binary)
    if not candidates:
        raise UserError(
            f"{where}: no column can be the labels; has {list_names([name for name in columns if name]) or 'no other'}:"
            " add one with the class of each image, or give --label-column"
            if any(columns)
            else f"{where}: has no column of labels; add one with the class of each image"
        )
    shown = " or ".join(f"--label-column {shlex.quote(printable(name))}" for name in candidates[:4])
    more = f" (or one of {len(candidates) - 4:,} more)" if len(candidates) > 4 else ""
    raise UserError(f"{where}: which column holds the labels? Give {shown}{more}")


def is_label_name(name: str) -> bool:
    """Whether a column's name says that it holds labels."""
    words = set(split_words(name))
    return bool(words & LABEL_NAMES) and not words & MEASURE_WORDS


def _narrow(named: list[str]) -> list[str]:
    """The names without those of labels that group others, if one is left."""
    fine = [name for name in named if not set(split_words(name)) & COARSE_WORDS]
    return fine if len(fine) == 1 else named


def _choose_same(named: list[str], columns: Mapping[str, Texts]) -> list[str]:
    """The first with words rather than numbers of columns that say the same, such as `label` and `label_name`."""
    if len(named) < 2:
        return named
    first = columns[named[0]]
    for name in named[1:]:
        pairs = set(zip(first, columns[name], strict=True))
        if len(pairs) != len(set(first)) or len(pairs) != len(set(columns[name])):
            return []
    numeric = {name: all(text is None or text.lstrip("-").isdigit() for text in columns[name]) for name in named}
    return [next((name for name in named if not numeric[name]), named[0])]


def _find_binary(columns: Mapping[str, Texts]) -> list[str]:
    """The columns that hold nothing but zeros and ones."""
    return [name for name, texts in columns.items() if name and set(without_decimals(texts)) <= ONE | ZERO]


def _count_ones(columns: Mapping[str, Texts], binary: list[str]) -> list[int]:
    """Ones in each row of the binary columns."""
    cells = [without_decimals(columns[name]) for name in binary]
    return [sum(text in ONE for text in row) for row in zip(*cells, strict=True)]


def _several_labels_error(where: str, columns: Mapping[str, Texts], binary: list[str]) -> UserError:
    ones = _count_ones(columns, binary)
    row = next(place for place, count in enumerate(ones, start=1) if count != 1)
    return UserError(
        f"{where}: columns {list_names(binary)} hold 0 and 1, but row {row:,} has {ones[row - 1]} ones: several "
        "labels an image are not learnt; keep the rows with one, or give --label-column NAME"
    )


def repeats(texts: Texts) -> bool:
    """Whether cells repeat as labels do: several different ones, each twice on average."""
    found = {text for text in texts if text is not None}
    return len(found) > 1 and 2 * len(found) <= len(texts)


def _may_be_labels(name: str, texts: Texts) -> bool:
    """Whether the cells repeat as labels do, and are no counts, measurements or ids by their name."""
    if not repeats(texts) or set(split_words(name)) & NUMBER_WORDS - {"id"}:
        return False
    return not any(_is_decimal(text) for text in without_decimals(texts) if text is not None)


def _is_decimal(text: str) -> bool:
    whole, point, rest = text.lstrip("-").partition(".")
    return bool(point) and whole.isdigit() and rest.isdigit()
