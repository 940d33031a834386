"""From learning curves to figures: how well each way's score at a rung tells which configuration is best at the end."""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

RUNGS = (2, 6)
"""Epochs at which the default search decides."""
DRAWS, DRAWN = 2000, 12
"""Searches that are replayed, and configurations of each, drawn without replacement."""
SEARCHED = "as searched"
"""The way of a space that draws schedule and decay for each trial: what trials are compared by then."""
Table = dict[str, dict[int, dict[str, list[Any]]]]
"""Curves by way, configuration, and `score` or `seconds`."""


def compare(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures by data set and way, and the means over data sets."""
    by_data: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        by_data[line["data"]].append(line)
    found = {data: figures_of(tabulate(mine)) for data, mine in by_data.items()}
    ways = [way for way in next(iter(found.values()))["ways"] if all(way in one["ways"] for one in found.values())]
    mean = {way: _mean([one["ways"][way] for one in found.values()]) for way in ways}
    return {"data": found, "mean": dict(sorted(mean.items(), key=lambda item: item[1]["regret"]))}


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
    final = {way: _scores(curves, -1) for way, curves in table.items()}
    best: NDArray[np.float64] = np.max(list(final.values()), axis=0)
    plain = _seconds(table["cosine raw"])
    draws = [np.random.default_rng(seed).permutation(len(best))[:DRAWN] for seed in range(DRAWS)]
    ways = {}
    for way, curves in table.items():
        rungs = {rung: _scores(curves, rung - 1) for rung in RUNGS}
        ways[way] = {
            "own": {r: _rank(scores, final[way]) for r, scores in rungs.items()},
            "best": {r: _rank(scores, best) for r, scores in rungs.items()},
            "best, upper half": {r: _rank(*_upper(scores, best)) for r, scores in rungs.items()},
            "top third": {r: _top_third(scores, best, draws) for r, scores in rungs.items()},
            "regret": round(float(np.mean([_regret(rungs, final[way], best, draw) for draw in draws])), 4),
            "final": round(float(final[way].mean()), 4),
            "final, upper half": round(float(_upper(final[way], best)[0].mean()), 4),
            "seconds": round(_seconds(curves) / plain, 3),
        }
    return {"configurations": len(best), "ways": ways}


def _scores(curves: dict[int, dict[str, list[Any]]], index: int) -> NDArray[np.float64]:
    return np.array([curve["score"][index] for curve in curves.values()], dtype=float)


def _seconds(curves: dict[int, dict[str, list[Any]]]) -> float:
    return float(sum(curve["seconds"][-1] for curve in curves.values()))


def _rank(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation."""
    return round(float(spearmanr(a, b).statistic), 3)


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
    return {
        key: {r: round(float(np.mean([part[key][r] for part in parts])), 3) for r in value}
        if isinstance(value, dict)
        else round(float(np.mean([part[key] for part in parts])), 4)
        for key, value in parts[0].items()
    }


def table(figures: dict[str, Any]) -> str:
    """The comparison as text, one block a data set."""
    head = "way                                own 2   own 6  best 2  best 6  upper 2 upper 6 third 2 third 6 regret"
    blocks = {data: found["ways"] for data, found in figures["data"].items()} | {"mean": figures["mean"]}
    out = []
    for data, ways in blocks.items():
        count = figures["data"].get(data, {}).get("configurations", "")
        out.append(f"\n{data} {count}\n{head}   final   upper seconds")
        for way, found in sorted(ways.items(), key=lambda item: item[1]["regret"]):
            cells = [found[k][r] for k in ("own", "best", "best, upper half", "top third") for r in RUNGS]
            ends = [found[k] for k in ("regret", "final", "final, upper half", "seconds")]
            out.append(f"{way:34s}" + "".join(f"{cell:7.3f} " for cell in [*cells, *ends]))
    return "\n".join(out)
