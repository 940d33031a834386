"""Classify images with an exported model.

It needs only numpy, Pillow and onnxruntime; so its command line is argparse's.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from searchspace.cli.output import end_quietly, fill_descriptors, print_document, print_errors, print_lines
from searchspace.prediction.class_scores import PREDICTION_FORMATS, ImagePrediction, top_classes
from searchspace.prediction.find_model import find_model
from searchspace.prediction.inputs import STDIN, find_inputs
from searchspace.progress.progress_bar import ProgressBar
from searchspace.storage.search_names import find_search
from trainables.common.errors import UserError, suggest
from trainables.data.decoding.bad_images import BadImage, BadImageCause, BadImageError
from trainables.data.decoding.decode import read_stream
from trainables.export.predictor import Predictor


@dataclass(frozen=True)
class Request:
    """The parsed command line."""

    model: str
    """ONNX file, or folder or URL of a search."""
    images: tuple[str, ...]
    """Images, folders of them, or `-`."""
    top: int
    """Classes an image."""
    form: str
    """A key of `FORMS`."""
    batch: int
    """Images at a time."""


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        # argparse says `argument --top: 'x': expected ...`; other commands say `--top 'x': expected ...`.
        said = re.sub(r"^argument (-\S+): (?=')", r"\1 ", message)
        raise UserError(f"{said} (--help says more)")


def main(arguments: Sequence[str]) -> int:
    """Answer the command line; returns its exit code. Raises `UserError` where it is wrong."""
    request = parse(arguments)
    runner, inputs = Predictor(find_model(_local(request.model))), find_inputs(request.images)
    form, bad, count = PREDICTION_FORMATS[request.form], 0, len(inputs.images)
    print_document(form.header)
    with ProgressBar("images", count) as bar:
        for guess in predict(runner, inputs.images, request.top, request.batch):
            if isinstance(guess, UserError):
                bad += 1
                bar.print_above(f"error: {guess}")
            else:
                print_document(form.write(guess))
            bar.advance()
    for line in (
        *inputs.left_out,
        *([f"error: {bad:,} of {count:,} images cannot be read"] if bad and count > 1 else []),
    ):
        print_lines(line, error=True)
    return (2 if bad == count else 1) if bad else 0


def _local(model: str) -> Path:
    if "://" not in model:
        return Path(find_search(os.path.expanduser(model)))
    from searchspace.storage.open_results import (  # takes more than this command otherwise needs
        is_model_file,
        open_results,
    )

    return open_results(model, is_model_file).folder


def parse(arguments: Sequence[str]) -> Request:
    """The command line; raises `UserError` where it is wrong."""
    parser = _Parser(
        prog="searchspace predict", description=(__doc__ or "").splitlines()[0], allow_abbrev=False,
        epilog="Example: searchspace predict results/digits photo.jpg --top 3",
    )  # fmt: skip
    for name, settings in ARGUMENTS:
        parser.add_argument(name, **settings)
    found = parser.parse_args(arguments)
    if found.format not in PREDICTION_FORMATS:
        hint = suggest(found.format, PREDICTION_FORMATS)
        raise UserError(f"--format {found.format!r}: not one of {', '.join(PREDICTION_FORMATS)}{hint}")
    return Request(found.model, tuple(found.images), found.top, found.format, found.batch)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return int(text)


ARGUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("model", {"metavar": "MODEL", "help": "a search's folder or URL, its winner/ or student/, or an .onnx file"}),
    ("images", {"nargs": "+", "metavar": "IMAGE", "help": "images, folders of them, or - for standard input"}),
    ("--top", {"type": _count, "default": 5, "metavar": "N", "help": "likeliest classes to show; default: 5"}),
    (
        "--format",
        {
            "default": "text",
            "metavar": "|".join(PREDICTION_FORMATS),
            "help": "default: text; json has a line each",
        },
    ),
    ("--batch", {"type": _count, "default": 32, "metavar": "N", "help": "images at a time; default: 32"}),
)
"""Of the command line, with what argparse is told of each."""


def predict(
    runner: Predictor, names: Sequence[str | BadImage], top: int, batch: int
) -> Iterator[ImagePrediction | UserError]:
    """Classify the images, `batch` at a time; yields scores, or the error of an unreadable image, in order."""

    def read(name: str | BadImage) -> NDArray[np.uint8] | UserError:
        if isinstance(name, BadImage):
            return BadImageError(name.name, name.cause or BadImageCause.UNDECODABLE, name.reason)
        try:
            content = _read_stdin() if name == STDIN else Path(name)
            return runner.read_image(content, name)
        except UserError as error:  # this image, not the next
            return error

    with ThreadPoolExecutor() as threads:
        for start in range(0, len(names), batch):
            part = names[start : start + batch]
            found = list(threads.map(read, part))
            answers = iter(runner.classify([image for image in found if not isinstance(image, UserError)]))
            for name, image in zip(part, found, strict=True):
                yield (
                    image
                    if isinstance(image, UserError)
                    else top_classes(str(name), next(answers), runner.classes, top)
                )


def _read_stdin() -> bytes:
    try:
        return read_stream(sys.stdin.buffer, STDIN)
    except OSError as error:
        raise UserError(f"image {STDIN}: cannot be read ({error.strerror or error})") from error


def run(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code, also after an error."""
    fill_descriptors()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal's, a pipe's and a file's have it
    try:
        with end_quietly():
            return main(arguments)
    except UserError as error:
        print_errors(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
