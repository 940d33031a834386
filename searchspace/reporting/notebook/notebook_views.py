"""What notebooks show of a search's result, of a winner, and of an evaluation: the answer first, and little of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from searchspace.finals.formatting import format_score, format_test_interval, score_with_interval
from searchspace.forecast.forecast import format_duration
from searchspace.reporting.html import REPORT
from searchspace.reporting.html.rendering import render_fragment
from searchspace.reporting.model_card import CARD_FILE
from searchspace.reporting.results import ClassifierResults, SearchResults
from searchspace.reporting.tables.exported_files_table import exported_file_rows
from searchspace.reporting.tables.table import Row, round_rows
from searchspace.reporting.tables.trials import rank_trials
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.metric_registry import METRICS, MetricName
from trainables.storage.files import is_file

SHOWN_ROWS = 5
"""Rows of a table."""
BOARD = ("rank", "trial", "role", "status", "model", "score", "best_epoch", "lr", "latency_ms")
"""Columns of the board that are shown, as far as there are any."""
EXPORTED = ("format", "recommended", "MB", "accuracy", "latency_ms", "file")
"""Columns of the table of exported files that are shown."""


@dataclass(frozen=True)
class NotebookView:
    """What is shown of one thing."""

    title: str
    """What it is."""
    figure: str = ""
    """The figure that matters most; empty: there is none yet."""
    figure_note: str = ""
    """What the figure is, with its interval."""
    lines: tuple[str, ...] = ()
    """Sentences."""
    rows: tuple[Row, ...] = ()
    """A small table, of equal columns."""
    places: tuple[tuple[str, str], ...] = ()
    """Name and path of files."""

    def to_html(self) -> str:
        """A fragment of HTML in the colours of the page around it, with all text escaped."""
        return render_fragment("notebook.html", view=self)


def view_search(results: SearchResults, url: str, finished: bool) -> NotebookView:
    """A search: its winner and test score, counts, the best trials, and where the files are."""
    spec, metrics = results.spec, results.winner.metrics if results.winner.is_tested else None
    figure, note = _figure(spec.metric, metrics) if metrics else ("", "")
    winner = results.finalists[0] if results.finalists else None
    models = ", ".join(dict.fromkeys(config.model for config in results.winner_configs.values()))
    lines = [f"Winner: {'trial ' if winner.name != 'ensemble' else ''}{winner.name} ({models})"] if winner else []
    report = results.folder / REPORT
    return NotebookView(
        title=f"{spec.name}: {'finished' if finished else 'not finished; .resume() continues it'}",
        figure=figure, figure_note=note, lines=(*lines, _count(results)),
        rows=tuple(_pick(round_rows(rank_trials(results.study)[:SHOWN_ROWS]), BOARD)),
        places=(("files", url or str(results.folder)), *((("report", str(report)),) if is_file(report) else ())),
    )  # fmt: skip


def view_winner(results: ClassifierResults) -> NotebookView:
    """A trained classifier: its architecture, test score, classes and exported files."""
    figure, note = _figure(results.search.spec.metric, results.metrics) if results.is_tested else ("", "")
    classes, shipment = results.data.classes, results.shipment
    named = ", ".join(classes[:10]) + (" …" if len(classes) > 10 else "")
    card = results.folder / CARD_FILE
    return NotebookView(
        title=f"{results.search.spec.name}, {results.folder.name}: {results.architectures}",
        figure=figure, figure_note=note, lines=(f"{len(classes):,} classes: {named}",),
        rows=tuple(_pick(exported_file_rows(shipment), EXPORTED)) if shipment else (),
        places=(("files", str(results.folder)), *((("card", str(card)),) if is_file(card) else ())),
    )  # fmt: skip


def view_metrics(title: str, metrics: TestMetrics, metric: MetricName = "accuracy") -> NotebookView:
    """Metrics on labelled images: the score, and the classes that are found worst."""
    figure, note = _figure(metric, metrics)
    worst = sorted((each for each in metrics.classes if each.count), key=lambda each: each.f1)[:SHOWN_ROWS]
    rows = [
        {"class": e.name, "images": e.count, **{n: f"{getattr(e, n):.2%}" for n in ("precision", "recall", "f1")}}
        for e in worst
    ]
    line = f"The classes with the lowest F1, of {len(metrics.classes):,}:"
    return NotebookView(title, figure, note.removeprefix("test "), lines=(line,), rows=tuple(rows))


def _figure(metric: MetricName, metrics: TestMetrics) -> tuple[str, str]:
    """The test score in the search's metric, and what it is."""
    score = format_score(metric, score_with_interval(metric, metrics)[0])
    interval = format_test_interval(metric, metrics)
    return score, f"test {METRICS[metric].label} ({interval}; {metrics.count:,} images)"


def _count(results: SearchResults) -> str:
    """Trials, images and classes, and the time that it took."""
    data, trials = results.data, results.trials
    whole = sum(trial.state == TrialState.COMPLETE for trial in trials)
    took = results.record.get("took", {}).get("total")
    images = f"{data.train:,} + {data.val:,} + {data.test:,} images of {len(data.classes):,} classes"
    duration = f"; {format_duration(took)}" if took else ""
    return f"{len(trials):,} trials, {whole:,} at full length; {images}{duration}"


def _pick(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """`rows` with these columns only, as far as they have them."""
    return [{name: row[name] for name in names if name in row} for row in rows]
