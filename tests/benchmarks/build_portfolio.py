"""Chooses the portfolio from recorded trainings, and measures what it is worth on a data set that it has not seen.

    python tests/benchmarks/build_portfolio.py

Reads what `record_portfolio.py` wrote. Writes `searchspace/priors/portfolio.json`, chosen on all data sets, the record
results/benchmarks/bench_portfolio.json, and `docs/priors.svg`. In the record each data set is left out in turn: its
portfolio is chosen on the others. Regret is the best full-length validation score of a family's recorded
configurations less the best so far, in points. All ways begin with the default; then come the portfolio and random
ones, or random ones alone, in the same random orders.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from matplotlib import rcParams
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from record_portfolio import read_rows

from tests.helpers.benchmarks.portfolio import Pool, choose_portfolio, read_pools, regrets_by_seconds, regrets_by_trials
from tests.helpers.benchmarks.record import summary, write_record
from tests.helpers.repository import ROOT

PORTFOLIO = ROOT / "searchspace" / "priors" / "portfolio.json"
PICTURE = ROOT / "docs" / "priors.svg"
ENTRIES = 3
"""Configurations of a family, beside the default."""
ORDERS = 200
SHARES = (10, 20, 30, 50)
"""Percent of the seconds of all recorded trials of a data set."""
WAYS = {"portfolio": ("#0b62a4", "default, portfolio, random"), "random": ("#7a7a7a", "default, random")}


def orders(pool: Pool, chosen: Sequence[int]) -> list[list[int]]:
    """Orders that begin with the default and `chosen`; the others follow at random."""
    first = [0, *chosen]
    rest = [number for number in range(pool.count) if number not in first]
    rng = random.Random(0)
    return [[*first, *rng.sample(rest, len(rest))] for _ in range(ORDERS)]


def evaluate(pools: Mapping[str, Pool]) -> dict[str, dict[str, Any]]:
    """By way: mean regret by trials, and by seconds, of each data set when it is left out."""
    found: dict[str, dict[str, Any]] = {way: {} for way in WAYS}
    for name, pool in pools.items():
        others = [other for each, other in pools.items() if each != name]
        for way in WAYS:
            tried = orders(pool, choose_portfolio(others, ENTRIES) if way == "portfolio" else [])
            found[way][name] = {
                "trials": regrets_by_trials(pool, tried), "seconds": regrets_by_seconds(pool, tried),
            }  # fmt: skip
    return found


def figures_of(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Regret in points after so many trials: over the data sets that were left out, and of each."""
    return {
        way: {
            "regret after trials": {
                str(count): summary([float(each["trials"][count - 1]) for each in by_set.values()])
                for count in range(1, 2 * ENTRIES + 1)
            },
            "regret after shares of all seconds": {
                f"{share} %": summary([float(each["seconds"][share]) for each in by_set.values()]) for share in SHARES
            },
            "after the portfolio, by data set": {
                name: round(float(each["trials"][ENTRIES]), 2) for name, each in by_set.items()
            },
        }
        for way, by_set in found.items()
    }


def draw(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Regret by seconds: the mean over the data sets, and each as a thin line; a panel for each family."""
    figure = Figure(figsize=(3.6 * len(found), 3.0), layout="constrained")
    FigureCanvasSVG(figure)
    for place, (family, by_way) in enumerate(found.items()):
        axes = figure.add_subplot(1, len(found), place + 1)
        for way, by_set in by_way.items():
            colour, words = WAYS[way]
            curves = np.array([each["seconds"] for each in by_set.values()])
            shares = np.linspace(0, 1, curves.shape[1])
            axes.plot(shares, curves.T, color=colour, linewidth=0.5, alpha=0.35)
            axes.plot(shares, curves.mean(axis=0), color=colour, linewidth=1.8, label=words)
        axes.set_title(family, fontsize=9)
        axes.set_xlabel("seconds, as a share of those of all recorded trials", fontsize=8)
        axes.set_ylabel("regret, points", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25, linewidth=0.5)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def main() -> None:
    """Choose, evaluate, and write all three."""
    rows = read_rows()
    pools = read_pools(rows)
    found = {family: evaluate(by_set) for family, by_set in pools.items()}
    chosen = {family: choose_portfolio(list(by_set.values()), ENTRIES) for family, by_set in pools.items()}
    params = {(row["family"], row["config"]): row["params"] for row in rows}
    portfolio = {
        "data": sorted({row["data"] for row in rows}),
        "families": {family: [params[family, number] for number in numbers] for family, numbers in chosen.items()},
    }
    PORTFOLIO.write_text(json.dumps(portfolio, indent=1) + "\n")
    rcParams["svg.hashsalt"] = "priors"  # the same record, the same file
    draw(found).savefig(PICTURE, metadata={"Date": None})
    figures = {
        "data sets": len(portfolio["data"]), "orders": ORDERS, "trainings": len(rows),
        "configurations": {family: next(iter(by_set.values())).count for family, by_set in pools.items()},
        "families": {family: figures_of(each) for family, each in found.items()},
    }  # fmt: skip
    print(write_record("bench_portfolio", figures, sys.argv[1:]))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
