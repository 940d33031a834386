"""Draws `docs/budget.svg` from the record of `bench_budget.py`: best validation score so far, by seconds.

    python tests/benchmarks/budget_curves.py [--minutes 10]

One panel for each data set, of the runs with that budget. A line is the best validation score of a trial at full
length; the cross at its end is the test accuracy of what the run ended with, when it ended. The baseline has a point
and a cross.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from tests.helpers.benchmarks.budget_runs import read_runs
from tests.helpers.repository import ROOT

FILE = ROOT / "docs" / "budget.svg"
STYLES = {
    "searchspace": ("#0b62a4", "searchspace --budget"),
    "frozen": ("#7a7a7a", "frozen backbone + logistic regression"),
    "loop": ("#d1731f", "plain Optuna loop"),
    "earlier": ("#3b8c4b", "earlier commit, --time-budget"),
}
"""Colour and words of each way."""
COLUMNS = 3


def draw(runs: Sequence[dict[str, Any]], minutes: float) -> Figure:
    """The picture of all data sets that have runs of `minutes`."""
    chosen = [run for run in runs if run["minutes"] in {0, minutes}]
    names = list(dict.fromkeys(run["data"] for run in chosen))
    if not names:
        raise SystemExit(f"no run of {minutes:g} minutes is recorded")
    rows = max(1, math.ceil(len(names) / COLUMNS))
    figure = Figure(figsize=(3.4 * max(2, min(COLUMNS, len(names))), 2.7 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, min(COLUMNS, len(names)), number + 1)
        _draw_panel(axes, [run for run in chosen if run["data"] == name])
        axes.set_title(name, fontsize=9)
        axes.axvline(60 * minutes, color="#cccccc", linewidth=0.8, zorder=0)
    handles = [figure.axes[0].plot([], [], color=colour, label=words)[0] for colour, words in STYLES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def _draw_panel(axes: Axes, runs: Iterable[dict[str, Any]]) -> None:
    for run in runs:
        colour, end = STYLES[run["way"]][0], run["seconds"]
        if curve := run.get("curve"):
            seconds, scores = zip(*curve, strict=True)
            last = max(end, seconds[-1])
            axes.step([*seconds, last], [*scores, scores[-1]], where="post", color=colour, linewidth=1.2)
        elif run.get("validation") is not None:
            axes.plot(end, run["validation"], "o", color=colour, markersize=3)
        if run.get("accuracy") is not None:
            axes.plot(end, run["accuracy"], "x", color=colour, markersize=6)
    axes.set_xlabel("seconds from the shell", fontsize=8)
    axes.set_ylabel("accuracy", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, linewidth=0.5)


def main() -> None:
    """Draw, and say where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    rcParams["svg.hashsalt"] = "budget"  # the same record, the same file
    draw(read_runs("bench_budget"), minutes).savefig(FILE, metadata={"Date": None})
    print(FILE)


if __name__ == "__main__":
    main()
