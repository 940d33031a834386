"""Class scores of an image, and the formats that they are written in."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.escaping import printable, write_csv

CSV_HEADER = ("image", "rank", "class", "probability")
"""Of a CSV."""


@dataclass(frozen=True)
class ImagePrediction:
    """The likeliest classes of one image."""

    image: str
    """Its file, or `-`."""
    classes: tuple[tuple[str, float], ...]
    """Class and probability, the likeliest first."""


def top_classes(image: str, probabilities: NDArray[np.float32], names: Sequence[str], top: int) -> ImagePrediction:
    """The `top` likeliest classes of `probabilities` (classes,); equal ones in the order of `names`."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return ImagePrediction(image, tuple((names[index], float(probabilities[index])) for index in order))


def format_text(guess: ImagePrediction) -> str:
    """One line for people: `cat.jpg: cat 93.2 %, dog 4.1 %`."""
    said = ", ".join(f"{printable(name)} {100 * probability:.1f} %" for name, probability in guess.classes)
    return f"{printable(guess.image)}: {said}\n"


def to_record(guess: ImagePrediction) -> dict[str, Any]:
    """What JSON says of it."""
    classes = [{"class": name, "probability": round(probability, 6)} for name, probability in guess.classes]
    return {"image": guess.image, "classes": classes}


def format_json(guess: ImagePrediction) -> str:
    """One line of JSON."""
    return json.dumps(to_record(guess)) + "\n"


def format_csv(guess: ImagePrediction) -> str:
    """One line of CSV a class."""
    out = io.StringIO()
    rows = [(guess.image, rank, name, f"{p:.6f}") for rank, (name, p) in enumerate(guess.classes, start=1)]
    write_csv(out, rows, end="\n")
    return out.getvalue()


@dataclass(frozen=True)
class PredictionFormat:
    """How guesses are written."""

    write: Callable[[ImagePrediction], str]
    header: str = ""


PREDICTION_FORMATS = {
    "text": PredictionFormat(format_text),
    "csv": PredictionFormat(format_csv, ",".join(CSV_HEADER) + "\n"),
    "json": PredictionFormat(format_json),
}
"""Forms by name; adding one is one function and one line."""
