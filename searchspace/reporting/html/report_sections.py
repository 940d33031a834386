"""The report's sections, in their order: one function, and one line here, adds one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from searchspace.reporting.html.blocks import Block, MissingError
from searchspace.reporting.html.exported_model import robustness, tradeoff
from searchspace.reporting.html.hyperparameters import importances, parallel
from searchspace.reporting.html.images import augmented, mistakes, uncertain
from searchspace.reporting.html.leaderboards import boards
from searchspace.reporting.html.learning_curves import curves, losses, optimisation
from searchspace.reporting.html.prediction_quality import calibration, classes, confusion, precision_recall
from searchspace.reporting.html.reproduction import data_set, repeat
from searchspace.reporting.html.slices import slices
from searchspace.reporting.html.timeline import timeline
from searchspace.reporting.results import SearchResults


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    anchor: str
    """Its id in the page."""
    title: str
    draw: Callable[[SearchResults], Iterator[Block]]
    """Raises `MissingError` where there is nothing to draw."""
    wide: bool = False
    """Whether it needs the whole width where a screen has room for two sections side by side."""


SECTIONS = (
    Section("board", "Leaderboard", boards, wide=True),
    Section("optimisation", "Optimisation history", optimisation),
    Section("learning", "Learning curves", curves),
    Section("losses", "Training and validation loss", losses),
    Section("importance", "What mattered", importances),
    Section("coordinates", "Parallel coordinates", parallel, wide=True),
    Section("time", "Time by slot", timeline),
    Section("latency", "Accuracy against latency", tradeoff),
    Section("matrix", "Confusion matrix", confusion),
    Section("classes", "Classes", classes),
    Section("precision", "Precision and recall", precision_recall),
    Section("trust", "Calibration", calibration),
    Section("slices", "Slices", slices),
    Section("worse", "Robustness", robustness),
    Section("mistakes", "Worst mistakes", mistakes, wide=True),
    Section("uncertain", "Most uncertain", uncertain, wide=True),
    Section("augmented", "Augmentation", augmented),
    Section("data", "Data set", data_set),
    Section("repeat", "How to repeat it", repeat, wide=True),
)


@dataclass(frozen=True)
class Drawn:
    """A section as it came out."""

    section: Section
    blocks: list[Block]
    missing: str = ""
    """Why it could not be drawn, if so."""


def draw(section: Section, results: SearchResults) -> Drawn:
    """The section's blocks, or the line that says why there are none."""
    try:
        return Drawn(section, list(section.draw(results)))
    except MissingError as reason:
        return Drawn(section, [], str(reason))
