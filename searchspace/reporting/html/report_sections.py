"""The report's sections, in their order: one function, and one line here, adds one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from searchspace.reporting.html.blocks import Block, MissingError
from searchspace.reporting.html.exported_model import robustness, tradeoff
from searchspace.reporting.html.hyperparameters import importances, parallel
from searchspace.reporting.html.images import augmented, mistakes, uncertain
from searchspace.reporting.html.leaderboards import leaderboards
from searchspace.reporting.html.learning_curves import curves, losses, optimisation
from searchspace.reporting.html.prediction_quality import calibration, classes, confusion, precision_recall
from searchspace.reporting.html.reproduction import data_set, reproduction
from searchspace.reporting.html.slices import slices
from searchspace.reporting.html.timeline import timeline
from searchspace.reporting.results import SearchResults


@dataclass(frozen=True)
class ReportSection:
    """A part of the report."""

    anchor: str
    """Its id in the page."""
    title: str
    draw: Callable[[SearchResults], Iterator[Block]]
    """Raises `MissingError` where there is nothing to draw."""
    wide: bool = False
    """Whether it needs the whole width where a screen has room for two sections side by side."""


REPORT_SECTIONS = (
    ReportSection("board", "Leaderboard", leaderboards, wide=True),
    ReportSection("optimisation", "Optimisation history", optimisation),
    ReportSection("learning", "Learning curves", curves),
    ReportSection("losses", "Training and validation loss", losses),
    ReportSection("importance", "What mattered", importances),
    ReportSection("coordinates", "Parallel coordinates", parallel, wide=True),
    ReportSection("time", "Time by slot", timeline),
    ReportSection("latency", "Accuracy against latency", tradeoff),
    ReportSection("matrix", "Confusion matrix", confusion),
    ReportSection("classes", "Classes", classes),
    ReportSection("precision", "Precision and recall", precision_recall),
    ReportSection("trust", "Calibration", calibration),
    ReportSection("slices", "Slices", slices),
    ReportSection("worse", "Robustness", robustness),
    ReportSection("mistakes", "Worst mistakes", mistakes, wide=True),
    ReportSection("uncertain", "Most uncertain", uncertain, wide=True),
    ReportSection("augmented", "Augmentation", augmented),
    ReportSection("data", "Data set", data_set),
    ReportSection("repeat", "How to repeat it", reproduction, wide=True),
)


@dataclass(frozen=True)
class DrawnSection:
    """A section as it came out."""

    section: ReportSection
    blocks: list[Block]
    missing: str = ""
    """Why it could not be drawn, if so."""


def draw(section: ReportSection, results: SearchResults) -> DrawnSection:
    """The section's blocks, or the line that says why there are none."""
    try:
        return DrawnSection(section, list(section.draw(results)))
    except MissingError as reason:
        return DrawnSection(section, [], str(reason))
