"""Shipping a classifier: write each format, prove it on test images, measure it, and recommend one."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.machine import core_count, cpu_name
from trainables.common.reporter import Teller
from trainables.data.store.recorded_data import open_recorded
from trainables.export.benchmark.architecture_benchmark import (
    count_parameters,
    measure_file,
    measure_speed,
    root_of,
)
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.benchmark.benchmark_process import load
from trainables.export.exported_files import SERVED, SHIPMENT, Artefact, Dropped, Format, Proof, Shipment
from trainables.export.formats.export_formats import WRITERS, Goods
from trainables.export.parity_check import Answer, Exam, check, eager_answer, set_exam
from trainables.export.predictor import Runner
from trainables.export.robustness import measure_robustness, write_robustness
from trainables.export.weights import read_classifier
from trainables.metrics.predictions import PERMIT
from trainables.storage.files import write_file
from trainables.storage.folders import files_below, remove_file
from trainables.storage.write_errors import find_write_error


def ship(  # noqa: PLR0913, PLR0917
    folder: Path,
    formats: Sequence[Format],
    max_drop: float,
    seed: int,
    teller: Teller,
    data: str = "",
    strict: bool = False,
) -> Shipment:
    """Export the classifier in `folder`, which the permit there lets see test images, to `formats` (none: all).

    What cannot be made, loses more than `max_drop` points or is not what was trained is deleted, with its reason.
    `data` is where the images are, if this machine has not prepared them. With `strict` a file that cannot be written
    raises its OSError; without, its format is one that cannot be made.
    """
    classifier, card = read_classifier(folder)
    goods = Goods(folder, classifier, card, open_recorded(card.data, data, teller), max_drop, seed)
    exam = set_exam(classifier, *goods.store.open_test(folder / PERMIT))
    wanted = formats or [name for name, writer in WRITERS.items() if writer.usable()]
    artefacts, dropped = [_measured(goods, "pytorch", exam.compare(exam.logits))], []
    for done, name in enumerate(wanted):
        teller.step(f"export of the {folder.name}", done, len(wanted))
        try:
            note, proof = _proven(goods, name, exam)
            artefacts.append(_measured(goods, name, proof, note))
        except Exception as error:  # an exporter fails in any way there is, and the next may not
            if strict:
                _raise_unwritten(goods, name, error)
            remove_file(goods.file(name))
            dropped.append(Dropped(format=name, reason=root_of(error)))
    shipment = Shipment(
        artefacts=tuple(artefacts), dropped=tuple(dropped), recommended=_fastest(artefacts), max_drop=max_drop,
        cost=_cost(goods, artefacts), machine=cpu_name(), threads=core_count(),
    )  # fmt: skip
    write_file(folder / SHIPMENT, shipment.model_dump_json(indent=1).encode())
    _stress(goods, shipment, exam, teller)
    return shipment


def _raise_unwritten(goods: Goods, name: Format, error: Exception) -> None:
    """Raise the error of writing that led to `error`, if one did, without leaving the format's file."""
    if unwritten := find_write_error(error, goods.folder):
        with suppress(OSError):
            remove_file(goods.file(name))
        raise unwritten


def _stress(goods: Goods, shipment: Shipment, exam: Exam, teller: Teller) -> None:
    """Measure, and write beside it, what the recommended format makes of images that are worse."""
    teller.step("robustness", 0, 0)
    name = shipment.recommended
    answer = eager_answer(goods.classifier) if name == "pytorch" else _answer(name, goods.file(name))
    rate = next(artefact.speed.rate for artefact in shipment.artefacts if artefact.format == name)
    write_robustness(goods.folder, measure_robustness(name, answer, rate, exam, goods.seed))


def _proven(goods: Goods, name: Format, exam: Exam) -> tuple[str, Proof]:
    """Write a format, and prove it; its note, and its proof. Raises `ProofError`, and whatever exporters raise."""
    writer = WRITERS[name]
    note = writer.write(goods)
    proof = exam.prove(_answer(name, goods.file(name)))
    check(proof, exam.compare(exam.logits), writer.exact, goods.max_drop)
    return note, proof


def _answer(name: Format, file: Path) -> Answer:
    if name in SERVED:
        return Runner(file).logits
    run = load(file, core_count())

    def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = run(images).numpy()
        return found

    return answer


def _measured(goods: Goods, name: Format, proof: Proof, note: str = "") -> Artefact:
    """What is known of a format that passed; PyTorch itself is run from the folder."""
    file = goods.file(name)
    speed = measure_speed(goods.folder if name == "pytorch" else file, goods.card.data)
    found = [path for _, path in files_below(goods.folder) if path.name == file.name]  # an ensemble has one a member
    size = sum(path.stat().st_size for path in found)
    return Artefact(format=name, file=file.name, size_mb=size / 1e6, proof=proof, speed=speed, note=note)


def _fastest(artefacts: Sequence[Artefact]) -> Format:
    """The exported format that is fastest at batches; `pytorch` where there is none."""
    return max(artefacts[1:] or artefacts, key=lambda artefact: artefact.speed.rate).format


def _cost(goods: Goods, artefacts: Sequence[Artefact]) -> ArchitectureCost | None:
    """What limits apply to, of the file that they are measured by; its latency is the one that its own row has."""
    speed = next((artefact.speed for artefact in artefacts if artefact.format == "onnx"), None)
    if speed is None:
        return None
    cost = measure_file(goods.file("onnx"), goods.card.data, count_parameters(goods.classifier))
    return cost.model_copy(update={"latency_ms": speed.latency_ms, "runs": speed.runs})
