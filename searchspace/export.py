"""Export a finished search's winner: `python -m searchspace.export results/NAME`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchspace.gate import broken_limits, describe_cost
from searchspace.spec import SearchSpec, load_spec
from trainables.errors import UserError

if TYPE_CHECKING:
    from trainables.deploy.cost import ArchitectureCost
    from trainables.deploy.onnx import Parity

ONNX = "model.onnx"


@dataclass(frozen=True)
class Shipped:
    """What is known of an exported model."""

    parity: "Parity"
    """How close it is to PyTorch."""
    cost: "ArchitectureCost"
    """What it costs on one thread of this machine's CPU, measured as the search's architectures were."""


def export_winner(folder: Path) -> Shipped:
    """Write, prove and measure `winner/model.onnx` of the search in `folder`.

    Raises `UserError` where there is no winner.
    """
    from trainables.card import CARD
    from trainables.data.store import open_store
    from trainables.deploy.measure import count_parameters, measure_file
    from trainables.deploy.onnx import export_onnx, prove_onnx
    from trainables.predictions import PERMIT
    from trainables.weights import read_classifier

    winner = folder / "winner"
    if not (winner / CARD).is_file():
        raise UserError(f"{str(folder)!r}: has no retrained winner (no winner/{CARD})")
    classifier, card = read_classifier(winner)
    export_onnx(classifier, card, winner / ONNX)
    images, _labels = open_store(card.data).open_test(winner / PERMIT)
    parity = prove_onnx(winner / ONNX, classifier, images)
    shipped = Shipped(parity, measure_file(winner / ONNX, count_parameters(classifier)))
    record = parity.model_dump() | {"cost": shipped.cost.model_dump()}
    (winner / "parity.json").write_text(json.dumps({ONNX: record}, indent=1))
    return shipped


def main(folder: Annotated[Path, typer.Argument(help="The search's folder, such as results/digits.")]) -> None:
    """Export a search's winner to ONNX: raw uint8 images in, probabilities out, proven on test images.

    Example: python -m searchspace.export results/digits
    """
    print(describe(load_spec(folder), folder, export_winner(folder)))


def describe(spec: SearchSpec, folder: Path, shipped: Shipped) -> str:
    """Two lines on the exported model, and a warning for each limit of `spec` that it breaks."""
    parity = shipped.parity
    warnings = [
        f"\nwarning: the shipped model breaks a limit: {broken}" for broken in broken_limits(spec, shipped.cost)
    ]
    return (
        f"{os.path.relpath(folder / 'winner' / ONNX)}: {parity.megabytes:.2f} MB, largest difference from PyTorch "
        f"{parity.largest_difference:.1e}, same answer on {parity.agreement:.2%} of {parity.count:,} test images\n"
        f"  on one thread of this CPU: {describe_cost(spec, shipped.cost)}" + "".join(warnings)
    )


if __name__ == "__main__":
    from searchspace.command import run_command

    run_command(main)
