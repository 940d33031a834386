"""Rows of what the statistics are worth: simulated finals, and intervals of test scores."""

import math

from tests.helpers.figures.records import Record, either
from tests.helpers.figures.rows import Row, row

SEEDS = 3
"""Fresh seeds of each finalist, by default."""
FRESH, SAME = "re-score on the finals' images", "re-score on the search's images"


def share(value: float, n: int) -> str:
    """A share of n repeats as a percentage, with its 95 % Wilson interval."""
    z = 1.96
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(value * (1 - value) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{100 * value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def by_scatter(r: Record, key: str) -> str:
    """One share of finals with the default number of seeds, by how much seeds scatter."""
    return either([share(row[key], r.n) for row in r.at("rows") if row["seeds"] == SEEDS])


def scatters(r: Record) -> str:
    """How much seeds scatter, in points of accuracy."""
    return either([f"{row['scatter points']:.1f}" for row in r.at("rows") if row["seeds"] == SEEDS])


@row("bench_comparison", essential=True)
def _alarms(r: Record) -> Row:
    images = r.at("settings", "images")
    return Row(
        f"simulated finals of three equals, {SEEDS} seeds, {images} images: any called different, where seeds scatter by "
        f"{scatters(r)} points (95 %)",
        f"{by_scatter(r, 'false alarms')}; where only one never scatters "
        f"{by_scatter(r, 'false alarms, one never scatters')}",
        f"percentile bootstrap over images and seeds {by_scatter(r, 'false alarms of percentiles')}; over images alone "
        f"{by_scatter(r, 'false alarms of percentiles over images')}",
    )


@row("bench_comparison", essential=True)
def _power(r: Record) -> Row:
    cells = []
    for lead in ("1", "2"):
        points = either([f"{found[f'lead {lead}, points']:.1f}" for found in r.at("rows") if found["seeds"] == SEEDS])
        cells.append(
            f"better by {points} points: wins in {by_scatter(r, f'lead {lead}, wins')}, recognised in "
            f"{by_scatter(r, f'lead {lead}, recognised')}"
        )
    return Row(
        "the same with one that is truly better: it wins; it is recognised, that is, it wins and both others are called "
        "different",
        "; ".join(cells),
    )


@row("bench_comparison")
def _rescores(r: Record) -> Row:
    found = {name: f"{100 * value:.1f} %" for name, value in r.at("re-scores").items()}
    return Row(
        f"mean score of the best three of {r.at('settings', 'configurations')} equal configurations, simulated: in truth "
        f"{found['truth']}",
        f"re-scored on the finals' own images {found[FRESH]}",
        f"in the search {found['search']}; re-scored on the images that chose them {found[SAME]}",
    )


@row("bench_intervals", essential=True)
def _coverage(r: Record) -> Row:
    images = sorted({line["images"] for line in r.at("rows")})
    accuracies = sorted({line["true accuracy"] for line in r.at("rows")})

    def cell(name: str) -> str:
        found = {kind: r.at("summary", kind, "accuracy", name) for kind in ("even", "uneven")}
        return f"{100 * min(each[0] for each in found.values()):.0f} to {100 * max(each[2] for each in found.values()):.0f} %"

    return Row(
        f"how often the 95 % interval of a test accuracy covers the truth, simulated: {either([str(n) for n in images])} "
        f"images, accuracies of {either([f'{100 * a:g}' for a in accuracies])} %, least to largest of the cases",
        cell("covered"),
        f"percentile bootstrap {cell('percentile bootstrap')}",
        f"{r.n:,}; bootstrap {r.at('settings', 'repeats of the bootstrap'):,}",
    )


@row("bench_intervals")
def _coverage_others(r: Record) -> Row:
    def cell(metric: str, name: str) -> str:
        return "; ".join(
            f"{kind} classes {100 * low:.0f} to {100 * high:.0f} %, mean {100 * mean:.0f}"
            for kind in ("even", "uneven")
            for low, mean, high in [r.at("summary", kind, metric, name)]
        )

    metrics = [metric for metric in r.at("summary", "even") if metric != "accuracy"]
    return Row(
        "the same of the other metrics",
        "; ".join(f"`{metric}`: {cell(metric, 'covered')}" for metric in metrics),
        "; ".join(f"`{metric}`: {cell(metric, 'percentile bootstrap')}" for metric in metrics),
        f"{r.n:,}; bootstrap {r.at('settings', 'repeats of the bootstrap'):,}",
    )
