"""Export a finished search's winner: `python -m searchspace.export results/NAME`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainables.errors import UserError

if TYPE_CHECKING:
    from trainables.deploy.onnx import Parity

ONNX = "model.onnx"


def export_winner(folder: Path) -> "Parity":
    """Write and prove `winner/model.onnx` of the search in `folder`; raises `UserError` where there is no winner."""
    from trainables.data.store import open_store
    from trainables.deploy.onnx import export_onnx, prove_onnx
    from trainables.predictions import PERMIT
    from trainables.weights import CARD, read_classifier

    winner = folder / "winner"
    if not (winner / CARD).is_file():
        raise UserError(f"{str(folder)!r}: has no retrained winner (no winner/{CARD})")
    classifier, card = read_classifier(winner)
    export_onnx(classifier, card, winner / ONNX)
    images, _labels = open_store(card.data).open_test(winner / PERMIT)
    parity = prove_onnx(winner / ONNX, classifier, images)
    (winner / "parity.json").write_text(json.dumps({ONNX: parity.model_dump()}, indent=1))
    return parity


def main(folder: Annotated[Path, typer.Argument(help="The search's folder, such as results/digits.")]) -> None:
    """Export a search's winner to ONNX: raw uint8 images in, probabilities out, proven on test images.

    Example: python -m searchspace.export results/digits
    """
    parity = export_winner(folder)
    print(describe(folder, parity))


def describe(folder: Path, parity: "Parity") -> str:
    """One line on the exported model."""
    return (
        f"{os.path.relpath(folder / 'winner' / ONNX)}: {parity.megabytes:.2f} MB, largest difference from PyTorch "
        f"{parity.largest_difference:.1e}, same answer on {parity.agreement:.2%} of {parity.count:,} test images"
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
