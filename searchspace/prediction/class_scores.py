"""What a model says of an image, and the forms that it is written in."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.escaping import write_csv
from trainables.common.sanitized_text import printable

HEADER = ("image", "rank", "class", "probability")
"""Of a CSV."""


@dataclass(frozen=True)
class Guess:
    """The likeliest classes of one image."""

    image: str
    """Its file, or `-`."""
    classes: tuple[tuple[str, float], ...]
    """Class and probability, the likeliest first."""


def best(image: str, probabilities: NDArray[np.float32], names: Sequence[str], top: int) -> Guess:
    """The `top` likeliest classes of `probabilities` (classes,); equal ones in the order of `names`."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return Guess(image, tuple((names[index], float(probabilities[index])) for index in order))


def as_text(guess: Guess) -> str:
    """One line for people: `cat.jpg: cat 93.2 %, dog 4.1 %`."""
    said = ", ".join(f"{printable(name)} {100 * probability:.1f} %" for name, probability in guess.classes)
    return f"{printable(guess.image)}: {said}\n"


def as_record(guess: Guess) -> dict[str, Any]:
    """What JSON says of it."""
    classes = [{"class": name, "probability": round(probability, 6)} for name, probability in guess.classes]
    return {"image": guess.image, "classes": classes}


def as_json(guess: Guess) -> str:
    """One line of JSON."""
    return json.dumps(as_record(guess)) + "\n"


def as_csv(guess: Guess) -> str:
    """One line of CSV a class."""
    out = io.StringIO()
    rows = [(guess.image, rank, name, f"{p:.6f}") for rank, (name, p) in enumerate(guess.classes, start=1)]
    write_csv(out, rows, end="\n")
    return out.getvalue()


@dataclass(frozen=True)
class Form:
    """How guesses are written."""

    write: Callable[[Guess], str]
    header: str = ""


FORMS = {"text": Form(as_text), "csv": Form(as_csv, ",".join(HEADER) + "\n"), "json": Form(as_json)}
"""Forms by name; adding one is one function and one line."""
