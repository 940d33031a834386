"""The first section: the winner, its scores, its cost, and how to use it."""

from collections.abc import Iterator
from dataclasses import dataclass

from optuna.trial import TrialState

from searchspace.constraints.constraints import find_violations
from searchspace.finals.formatting import (
    format_score,
    format_score_history,
    format_test_interval,
    format_undecided,
    list_test_figures,
    score_with_interval,
)
from searchspace.finals.gain import format_gain
from searchspace.forecast.forecast import format_duration
from searchspace.reporting.html.blocks import Block, Code, Link, Note, Table, require_metrics
from searchspace.reporting.model_card import CARD_FILE
from searchspace.reporting.model_card.snippets import onnx_code, program_code, weights_code
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.exported_files_table import exported_file_rows, format_conditions, format_dropped
from trainables.data.sources.source_registry import pixels_of_data
from trainables.export.exported_files import ONNX_FORMATS, ExportedFile
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import METRICS
from trainables.storage.files import is_file


@dataclass(frozen=True)
class Tile:
    """A figure that is read from afar."""

    value: str
    name: str
    note: str = ""


@dataclass(frozen=True)
class ReportAnswer:
    """The top of the page."""

    headline: str
    tiles: list[Tile]
    sentences: list[str]
    blocks: list[Block]


def make_answer(results: SearchResults, linked: bool = True) -> ReportAnswer:
    """The winner, or the state of a search without one.

    `linked` says whether the report lies in the search's folder, and may link to files there.
    """
    if not results.winner.is_tested:
        return _so_far(results)
    spec, metrics, winner = results.spec, require_metrics(results), results.finalists[0]
    models = ", ".join(dict.fromkeys(config.model for config in results.winner_configs.values()))
    way = format_score_history(spec.metric, winner, metrics).replace(" -> ", " → ")
    sentences = [f"{line[0].upper()}{line[1:]}." for line in (way, *format_undecided(spec.metric, results.finalists))]
    if gain := results.gain:
        sentences.insert(1, f"What the search bought: {format_gain(gain)}.")
    if end := results.early_end:
        sentences.append(f"The search {end.describe()}.")
    if cost := results.winner.cost:
        sentences += [f"The shipped model breaks a limit: {b}." for b in find_violations(spec.for_winner, cost)]
    trial = f"trial {winner.name}" if len(winner.members) == 1 else "an ensemble"
    blocks = [_scores(metrics), *_use(results, linked)]
    return ReportAnswer(f"The winner is {trial}: {models}", list(_tiles(results, metrics)), sentences, blocks)


def _so_far(results: SearchResults) -> ReportAnswer:
    over = sum(trial.state.is_finished() for trial in results.trials)
    complete = [t for t in results.trials if t.state == TrialState.COMPLETE and t.value is not None]
    tiles = [Tile(f"{over:,}", "trials are over", f"of {results.spec.trials:,}; {len(results.trials):,} have begun")]
    if complete:
        best = max(complete, key=lambda trial: trial.value or 0.0)
        words, score = METRICS[results.spec.metric].label, format_score(results.spec.metric, best.value or 0.0)
        tiles.append(Tile(score, f"validation {words}", f"trial {best.number}, the best at full length so far"))
    sentence = "This search has not come to its end, or was cut off; sections that need a tested winner say so."
    return ReportAnswer("There is no winner yet", tiles, [sentence], [])


def _tiles(results: SearchResults, metrics: TestMetrics) -> Iterator[Tile]:
    spec = results.spec
    note = f"{format_test_interval('accuracy', metrics)}; {metrics.count:,} images, opened once"
    yield Tile(format_score("accuracy", metrics.accuracy), "test accuracy", note)
    if spec.metric != "accuracy":
        score = format_score(spec.metric, score_with_interval(spec.metric, metrics)[0])
        yield Tile(score, f"test {METRICS[spec.metric].label}", format_test_interval(spec.metric, metrics))
    if shipment := results.winner.shipment:
        best = shipment.recommended_file
        parameters = f"; {shipment.cost.parameters:,} parameters" if shipment.cost else ""
        yield Tile(f"{best.size_mb:.3g} MB", "model size", f"{best.file}, which is recommended{parameters}")
        measured = f"one raw image, one thread of {shipment.machine}; median of the faster half of"
        yield Tile(f"{best.speed.latency_ms:.3g} ms", "latency", f"{measured} {best.speed.runs:,} runs")
    took = results.record.get("took", {}).get("total")
    note = f"{format_duration(took)} from the command to the model" if took else ""
    yield Tile(f"{len(results.trials):,}", "trials", note)


def _scores(metrics: TestMetrics) -> Table:
    names = ("test metric", "value", "95 % from", "to", "interval")
    rows = [
        dict(zip(names, (each.title, each.value, *(each.interval or (None, None)), each.method), strict=True))
        for each in list_test_figures(metrics)
        if each.value is not None
    ]
    return Table(rows, "Test metrics", dict.fromkeys(names[1:4], 4))


def _use(results: SearchResults, linked: bool) -> Iterator[Block]:
    """What is shipped, and how to call it."""
    shipment = results.winner.shipment
    if shipment is None:
        yield Note(f"It is not exported: searchspace export {results.spec.results}/{results.spec.name}")
        return
    needs, lines = _lines(shipment.recommended_file, results.winner.folder.name)
    yield Note(f"How to use {shipment.recommended_file.file}, {needs}. Any image that Pillow reads will do.")
    if pixels := pixels_of_data(results.data.origin):
        said = pixels.replace("`", "")
        yield Note(f"Pixels of the data itself: {said}. Images of another range are answered wrongly.")
    yield Code(lines)
    yield Table(exported_file_rows(shipment), "What is shipped, in winner/")
    yield Note("; ".join([format_conditions(shipment), *format_dropped(shipment)]) + ".")
    if linked and is_file(results.winner.folder / CARD_FILE):
        yield Link("The model card", f"winner/{CARD_FILE}", "has every way to run it, its limits and its licence.")


def _lines(best: ExportedFile, folder: str) -> tuple[str, str]:
    """Where the recommended file runs and what it needs, and the lines that run it; it lies in `folder`."""
    file, here = f"{folder}/{best.file}", "in the folder of this report"
    if best.format in ONNX_FORMATS:
        return f"{here}: it needs onnxruntime, numpy and Pillow, and nothing of this project", onnx_code(file)
    if best.format == "pytorch":
        return f"in {folder}/: it needs this project, as no exported file passed its proof", weights_code()
    device = "cuda" if best.format == "pt2-half" else "cpu"
    on = " on a CUDA GPU" if device == "cuda" else ""
    return f"{here}: it needs torch{on}, numpy and Pillow, and nothing of this project", program_code(file, device)
