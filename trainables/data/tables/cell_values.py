"""Cells of a table as text, of any type that a data frame may have."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Texts = list[str | None]
"""The cells of a column, without spaces around them; None for an empty one."""
MISSING_TEXTS = frozenset({"nan", "NaN", "<NA>", "NaT"})
"""Texts that numpy and pandas write for a missing value."""
_WHOLE = re.compile(r"-?\d+\.0+")
_INTEGER = re.compile(r"-?\d+")


def to_texts(column: "pd.Series[Any]") -> Texts:
    """Cells as text: whole numbers without decimals, truth values as True and False, missing ones as None."""
    return [None if empty else _to_text(value) for value, empty in zip(column.tolist(), column.isna(), strict=True)]


def without_decimals(texts: Texts) -> Texts:
    """Texts of whole numbers (`3.0`, as pandas writes integers beside empty cells) as integers; others as they are."""
    if any(text is not None and not _WHOLE.fullmatch(text) and not _INTEGER.fullmatch(text) for text in texts):
        return texts
    return [None if text is None else text.partition(".")[0] for text in texts]


def in_order(texts: Iterable[str]) -> list[str]:
    """Different texts, sorted: by number where all are integers, else as text."""
    found = set(texts)
    if all(_INTEGER.fullmatch(text) for text in found):
        return sorted(found, key=lambda text: (int(text), text))
    return sorted(found)


def spread(values: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    return [values[i * (len(values) - 1) // (count - 1)] for i in range(count)]


def _to_text(value: Any) -> str | None:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return None if not text or text in MISSING_TEXTS else text
