"""From learning curves to figures: how well each way's score at a rung tells which configuration is best at the end."""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

PLAIN = "cosine"
"""The schedule that all configurations are trained with."""
RUNGS = (2, 6)
"""Epochs at which the default search decides."""
DRAWS, DRAWN = 2000, 12
"""Searches that are replayed, and configurations of each, drawn without replacement."""
RESAMPLES = 500
"""Of the configurations, for an interval."""
SEARCHED = "as searched"
"""The way of a space that draws schedule and decay for each trial: what trials are compared by then."""
Table = dict[str, dict[int, dict[str, list[Any]]]]
"""Curves by way, configuration, and `score` or `seconds`."""


def compare(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the averages under one schedule, which most configurations have, and of all schedules."""
    plain = [line for line in lines if line["way"].startswith(PLAIN)]
    return {"averages": _by_data(plain), "schedules": _by_data(lines)}


def _by_data(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures by data set and way, and the means over data sets."""
    by_data: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        by_data[line["data"]].append(line)
    most = max(len({line["way"] for line in mine}) for mine in by_data.values())
    found = {d: figures_of(tabulate(m)) for d, m in by_data.items() if len({line["way"] for line in m}) == most}
    ways = next(iter(found.values()))["ways"]
    mean = {way: _mean([one["ways"][way] for one in found.values()]) for way in ways}
    return {"data": found, "mean": mean}


def tabulate(lines: list[dict[str, Any]]) -> Table:
    """Curves of the configurations that have every way, the mixture that a space draws among them."""
    table: Table = defaultdict(dict)
    drawn: dict[int, str] = {}
    for line in lines:
        table[line["way"]][line["config"]] = line
        if "params" in line:
            decay = line["params"]["ema_decay"]
            drawn[line["config"]] = f"{line['params']['schedule']} {f'ema {decay}' if decay else 'raw'}"
    if any(way.startswith("triangular") for way in table):
        table[SEARCHED] = {c: table[way][c] for c, way in drawn.items() if c in table[way]}
    whole = set.intersection(*(set(curves) for curves in table.values()))
    return {way: {config: curves[config] for config in sorted(whole)} for way, curves in table.items()}


def figures_of(table: Table) -> dict[str, Any]:
    """Each way's figures on one data set."""
    final = {way: _scores(curves, 0) for way, curves in table.items()}
    best: NDArray[np.float64] = np.max(list(final.values()), axis=0)
    draws = [np.random.default_rng(seed).permutation(len(best))[:DRAWN] for seed in range(DRAWS)]
    ways = {}
    for way, curves in table.items():
        rungs = {rung: _scores(curves, rung) for rung in RUNGS}
        ways[way] = {
            "own": {r: _rank(scores, final[way]) for r, scores in rungs.items()},
            "best": {r: _rank(scores, best) for r, scores in rungs.items()},
            "best, 95 %": {r: _interval(scores, best) for r, scores in rungs.items()},
            "best, upper half": {r: _rank(*_upper(scores, best)) for r, scores in rungs.items()},
            "best, upper half, 95 %": {r: _interval(*_upper(scores, best)) for r, scores in rungs.items()},
            "top third": {r: _top_third(scores, best, draws) for r, scores in rungs.items()},
            "regret": round(float(np.mean([_regret(rungs, final[way], best, draw) for draw in draws])), 4),
            "final": round(float(final[way].mean()), 4),
            "final, upper half": round(float(_upper(final[way], best)[0].mean()), 4),
            "seconds": round(_seconds(curves) / _seconds(table.get(f"{way.split()[0]} raw", curves)), 3),
        }
    return {"configurations": len(best), "ways": ways}


def _scores(curves: dict[int, dict[str, list[Any]]], epoch: int) -> NDArray[np.float64]:
    """Scores after an epoch; 0 is the last."""
    scores = [
        dict(zip(c.get("epochs", range(1, 1000)), c["score"], strict=False)) | {0: c["score"][-1]}
        for c in curves.values()
    ]
    return np.array([score[epoch] for score in scores])


def _seconds(curves: dict[int, dict[str, list[Any]]]) -> float:
    return float(sum(curve["seconds"][-1] for curve in curves.values()))


def _rank(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation."""
    return round(float(spearmanr(a, b).statistic), 3)


def _interval(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[float]:
    """95 % interval of the rank correlation: percentiles over configurations drawn again with replacement."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(a), size=len(a)) for _ in range(RESAMPLES)]
    ranks = [
        np.corrcoef(rankdata(a[rows]), rankdata(b[rows]))[0, 1] for rows in drawn if np.ptp(a[rows]) * np.ptp(b[rows])
    ]
    return [round(float(np.quantile(ranks, q)), 3) for q in (0.025, 0.975)]


def _upper(scores: NDArray[np.float64], best: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both, of the half that ends best: telling what learns from what does not is no art."""
    rows = np.argsort(-best, kind="stable")[: len(best) // 2]
    return scores[rows], best[rows]


def _top_third(scores: NDArray[np.float64], best: NDArray[np.float64], draws: list[NDArray[np.int64]]) -> float:
    """Chance that the best of `DRAWN` configurations is in the top third at the rung."""
    hits = [draw[best[draw].argmax()] in draw[_first(scores[draw], 3)] for draw in draws]
    return round(float(np.mean(hits)), 3)


def _regret(
    rungs: dict[int, NDArray[np.float64]],
    final: NDArray[np.float64],
    best: NDArray[np.float64],
    draw: NDArray[np.int64],
) -> float:
    """What successive halving by thirds loses: the best full-length score of the draw less that of its choice."""
    left = draw
    for scores in rungs.values():
        left = left[_first(scores[left], 3)]
    return float(best[draw].max() - best[left[final[left].argmax()]])


def _first(scores: NDArray[np.float64], factor: int) -> NDArray[np.int64]:
    return np.argsort(-scores, kind="stable")[: max(1, len(scores) // factor)]


def _mean(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over data sets; intervals have none."""
    parts = [{key: value for key, value in part.items() if "95 %" not in key} for part in parts]
    return {
        key: {r: round(float(np.mean([part[key][r] for part in parts])), 3) for r in value}
        if isinstance(value, dict)
        else round(float(np.mean([part[key] for part in parts])), 4)
        for key, value in parts[0].items()
    }


def table(figures: dict[str, Any]) -> str:
    """One comparison as text, one block a data set and one of the means, best first."""
    columns = [f"{name} {rung}" for name in ("own", "best", "upper", "third") for rung in RUNGS]
    head = f"{'way':34s}" + "".join(f"{name:>8s}" for name in [*columns, "regret", "final", "upper", "seconds"])
    blocks = {data: found["ways"] for data, found in figures["data"].items()} | {"mean": figures["mean"]}
    out = []
    for data, ways in blocks.items():
        count = figures["data"].get(data, {}).get("configurations", "")
        out.append(f"\n{data} {count}\n{head}")
        for way, found in sorted(ways.items(), key=lambda item: -sum(item[1]["best"].values())):
            cells = [found[k][r] for k in ("own", "best", "best, upper half", "top third") for r in RUNGS]
            ends = [found[k] for k in ("regret", "final", "final, upper half", "seconds")]
            out.append(f"{way:34s}" + "".join(f"{cell:8.3f}" for cell in [*cells, *ends]))
    return "\n".join(out)
