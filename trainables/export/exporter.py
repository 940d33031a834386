"""Export of a classifier: write each format, check it on test images, benchmark it, and recommend one."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.common.environment import core_count, cpu_name
from trainables.common.reporter import Reporter
from trainables.data.store.recorded_data import open_recorded_data
from trainables.export.benchmark.architecture_benchmark import (
    count_parameters,
    measure_file,
    measure_speed,
    root_cause,
)
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.benchmark.benchmark_process import load
from trainables.export.export_clock import BUDGET_SPENT, BY_PRIORITY, ExportClock, least_seconds
from trainables.export.exported_files import (
    EXPORT_RECORD,
    FORMAT_FILES,
    ONNX_FORMATS,
    DroppedFormat,
    ExportedFile,
    ExportRecord,
    Format,
    Parity,
)
from trainables.export.formats.export_formats import FORMATS, ExportContext
from trainables.export.model_info import native_shape
from trainables.export.parity_check import LogitsFunction, Reference, check_parity, eager_logits, make_reference
from trainables.export.predictor import Predictor
from trainables.export.raw_files import RAW_BUDGET_S, RawFiles, check_raw_files, find_raw_files, require_raw_parity
from trainables.export.robustness import (
    MIN_CORRUPTED_IMAGES,
    ROBUSTNESS,
    ROBUSTNESS_BUDGET_S,
    expected_seconds,
    measure_robustness,
    write_robustness,
)
from trainables.export.weights import read_classifier
from trainables.metrics.predictions import TEST_PERMIT
from trainables.storage.files import write_file
from trainables.storage.folders import files_below, remove_file
from trainables.storage.write_errors import find_write_error


def usable_formats() -> list[Format]:
    """Formats that this machine can make and run."""
    return [name for name, writer in FORMATS.items() if writer.usable()]


@dataclass(frozen=True)
class ExportRequest:
    """What is asked of an export."""

    formats: Sequence[Format] = ()
    """Formats to export to; empty: all that can be made here, and for which there is time."""
    max_drop: float = 0.3
    """Most points of test accuracy that a format may lose."""
    seed: int = 0
    """Seed of what is random in it: calibration images, corruptions."""
    data: str = ""
    """Where the images are, if this machine has not prepared them."""
    raw_data: str = ""
    """Where raw test files are read; empty: from `data`."""
    strict: bool = False
    """Whether a file that cannot be written raises its OSError; else its format counts as one that cannot be made."""
    seconds: float = math.inf
    """What it may take. ONNX takes the time that it takes; what then does not fit is left out, unless it is in
    `formats`: INT8, other formats, robustness."""


def export_classifier(folder: Path, asked: ExportRequest, reporter: Reporter) -> ExportRecord:
    """Export the classifier in `folder`, whose permit opens the test images.

    A file that cannot be made, loses more than `max_drop` points or differs from PyTorch is deleted, and the reason
    recorded.
    """
    clock = ExportClock(asked.seconds)
    torch.set_num_threads(core_count())
    classifier, card = read_classifier(folder)
    store = open_recorded_data(card.data, asked.data, reporter)
    context = ExportContext(folder, classifier, card, store, asked.max_drop, asked.seed, clock)
    reference = make_reference(classifier, *store.open_test_stored(folder / TEST_PERMIT))
    raw = _find_raw(context, reference, asked.raw_data or asked.data)
    wanted = [name for name in BY_PRIORITY if name in (asked.formats or usable_formats())]
    artefacts, dropped = [_describe_export(context, "pytorch", reference.compare_logits(reference.logits))], []
    for done, name in enumerate(wanted):
        reporter.progress(f"export of the {folder.name}", done, len(wanted))
        try:
            if not asked.formats and done:
                clock.check(least_seconds(name, len(reference.rows), reference.seconds))
            note, proof = _write_and_check(context, name, reference, raw)
            artefacts.append(_describe_export(context, name, proof, note))
        except Exception as error:  # an exporter fails in any way there is, and the next may not
            if asked.strict:
                _raise_write_failure(context, name, error)
            remove_file(context.path_of(name))
            dropped.append(DroppedFormat(format=name, reason=root_cause(error)))
    artefacts.sort(key=lambda artefact: tuple(FORMAT_FILES).index(artefact.format))
    found = ExportRecord(
        artefacts=tuple(artefacts), dropped=tuple(dropped), recommended=_fastest(artefacts),
        max_drop=asked.max_drop,
        cost=_cost(context, artefacts), raw_note=raw.note, machine=cpu_name(), threads=core_count(),
    )  # fmt: skip
    is_measured = _measure_robustness(context, found, reference, reporter)
    shipment = found.model_copy(update={"unmeasured": "" if is_measured else f"robustness: {BUDGET_SPENT}"})
    write_file(folder / EXPORT_RECORD, shipment.model_dump_json(indent=1).encode())
    return shipment


def _raise_write_failure(context: ExportContext, name: Format, error: Exception) -> None:
    """Delete the format's file and raise the write error that caused `error`, if there was one."""
    if unwritten := find_write_error(error, context.folder):
        with suppress(OSError):
            remove_file(context.path_of(name))
        raise unwritten


def _measure_robustness(
    context: ExportContext, shipment: ExportRecord, reference: Reference, reporter: Reporter
) -> bool:
    """Measure the accuracy of the recommended format on corrupted images, and write it; False where no time is left."""
    name = shipment.recommended
    rate = next(artefact.speed.rate for artefact in shipment.artefacts if artefact.format == name)
    if expected_seconds(reference.images, rate, MIN_CORRUPTED_IMAGES) > context.clock.left:
        with suppress(FileNotFoundError):
            remove_file(context.folder / ROBUSTNESS)  # of an earlier export
        return False
    reporter.progress("robustness", 0, 0)
    answer = (
        eager_logits(context.classifier) if name == "pytorch" else _load_logits_function(name, context.path_of(name))
    )
    seconds = context.clock.share(1.0, ROBUSTNESS_BUDGET_S)
    write_robustness(context.folder, measure_robustness(name, answer, rate, reference, context.seed, seconds))
    return True


def _find_raw(context: ExportContext, reference: Reference, origin: str) -> RawFiles:
    """Raw test files, for a classifier that makes squares of images."""
    if not context.classifier.fits:
        return RawFiles({}, "")
    origins = context.store.open_test_origins(context.folder / TEST_PERMIT)
    return find_raw_files(context.store.summary, origin, origins, reference)


def _write_and_check(context: ExportContext, name: Format, reference: Reference, raw: RawFiles) -> tuple[str, Parity]:
    """Write a format and check it; returns its note and parity. Raises `ParityError` and the exporter's errors."""
    writer = FORMATS[name]
    note = writer.write(context)
    answer = _load_logits_function(name, context.path_of(name))
    proof = reference.check_answers(answer)
    check_parity(proof, reference.compare_logits(reference.logits), writer.exact, context.max_drop)
    found = check_raw_files(answer, raw, reference, context.clock.share(0.1, RAW_BUDGET_S))
    if writer.exact:
        require_raw_parity(found)
    difference = found.largest_probability_difference
    return note, proof.model_copy(update={"raw_count": found.count, "raw_difference": difference})


def _load_logits_function(name: Format, file: Path) -> LogitsFunction:
    """One thread a call: as many calls go side by side as there are cores."""
    if name in ONNX_FORMATS:
        return Predictor(file, threads=1).logits
    run = load(file, 1)

    def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = run(images).numpy()
        return found

    return answer


def _describe_export(context: ExportContext, name: Format, proof: Parity, note: str = "") -> ExportedFile:
    """Record of a format that passed its check; PyTorch itself is run from the folder."""
    file = context.path_of(name)
    runs = 3 if math.isinf(context.clock.left) else 1
    speed = measure_speed(context.folder if name == "pytorch" else file, native_shape(context.card), runs)
    found = [path for _, path in files_below(context.folder) if path.name == file.name]  # an ensemble has one a member
    size = sum(path.stat().st_size for path in found)
    return ExportedFile(format=name, file=file.name, size_mb=size / 1e6, proof=proof, speed=speed, note=note)


def _fastest(artefacts: Sequence[ExportedFile]) -> Format:
    """The exported format with the highest throughput; `pytorch` where there is none."""
    return max(artefacts[1:] or artefacts, key=lambda artefact: artefact.speed.rate).format


def _cost(context: ExportContext, artefacts: Sequence[ExportedFile]) -> ArchitectureCost | None:
    """Cost of the float32 ONNX file, to which limits apply; its latency is the one of its record."""
    speed = next((artefact.speed for artefact in artefacts if artefact.format == "onnx"), None)
    if speed is None:
        return None
    cost = measure_file(context.path_of("onnx"), native_shape(context.card), count_parameters(context.classifier))
    return cost.model_copy(update={"latency_ms": speed.latency_ms, "runs": speed.runs})
