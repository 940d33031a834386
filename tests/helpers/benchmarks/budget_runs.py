"""Runs of `bench_budget.py`: read from a search's folder, summed up, and held against the goals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.helpers.benchmarks.budget_data import PHOTOGRAPHS
from tests.helpers.benchmarks.record import FOLDER, summary

SET_REPORT = 8
"""Optuna's code for a trial attribute in a journal."""
LATE, FIRST_S = 1.1, 90.0
"""Most that a run may take of its budget; most seconds to the first usable model."""
LEAD, LEAD_MINUTES = 0.01, 10
"""By how much a search of so many minutes is to be better than the baseline on photographs."""
Summary = dict[str, dict[str, dict[str, Any]]]
"""Figures by data set, by budget in minutes, by way."""


def read_runs(name: str) -> list[dict[str, Any]]:
    """The runs that are recorded; none without a record."""
    file = FOLDER / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(file.read_text())["figures"]["runs"] if file.exists() else []
    return found


def read_search(folder: Path, started: float) -> dict[str, Any]:
    """What a search left: test accuracy, its winner's family, the seconds of its phases, and its best scores so far.

    `started` is the Unix time of its start. What is not there is left out.
    """
    found: dict[str, Any] = {}
    if (folder / "study.journal").exists():
        curve = read_curve(folder / "study.journal", started)
        found |= {"curve": curve, "first": curve[0][0]} if curve else {"curve": curve}
    if (folder / "winner" / "metrics.json").exists():
        found["accuracy"] = json.loads((folder / "winner" / "metrics.json").read_text())["accuracy"]
    if (folder / "winner" / "model.json").exists():
        found["winner"] = read_family(json.loads((folder / "winner" / "model.json").read_text()))
    if (folder / "search.json").exists():
        record = json.loads((folder / "search.json").read_text())
        found["took"] = {name: round(at, 1) for name, at in record.get("took", {}).items()}
    return found


def read_curve(journal: Path, started: float) -> list[tuple[float, float]]:
    """Seconds and score of each trial at full length that was better than all before it."""
    curve: list[tuple[float, float]] = []
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        for name, text in entry.get("user_attr", {}).items() if entry["op_code"] == SET_REPORT else ():
            told = json.loads(text) if name.startswith("report-") else {"report": {}}
            if told["report"].get("status") == "complete" and (not curve or told["report"]["score"] > curve[-1][1]):
                curve.append((round(told["at"] - started, 2), told["report"]["score"]))
    return curve


def read_family(info: dict[str, Any]) -> str:
    """How a classifier learns, of its `model.json`: an ensemble's members are joined."""
    configs = [member["config"] for member in info.get("members", [info])]
    return " + ".join(dict.fromkeys(map(_family, configs)))


def _family(config: dict[str, Any]) -> str:
    if config["model"] in {"convnet", "resnet", "mlp"}:
        return str(config["model"])
    if config.get("head_solver") == "lbfgs" and config["freeze"] == "all":
        return f"{config['model']} closed form"
    return f"{config['model']} {'frozen' if config['freeze'] == 'all' else 'fine-tuned'}"


def describe(run: dict[str, Any]) -> str:
    """One line on a run."""
    parts = [f"{run['data']}, {run['way']}, {run['minutes']:g} min: {run['seconds']:.0f} s"]
    parts += [f"test {100 * run['accuracy']:.2f} %"] if run.get("accuracy") is not None else ["no test"]
    parts += [f"first after {run['first']:.0f} s"] if "first" in run else []
    parts += [str(run[name]) for name in ("winner", "output") if name in run]
    return ", ".join(parts)


def summarize(runs: Sequence[dict[str, Any]]) -> Summary:
    """Summaries of the repeats of each data set, budget and way."""
    found: Summary = {}
    for run in runs:
        found.setdefault(run["data"], {}).setdefault(f"{run['minutes']:g}", {}).setdefault(run["way"], []).append(run)
    return {
        data: {
            minutes: {way: _summarize_way(own) for way, own in ways.items()}
            for minutes, ways in sorted(budgets.items(), key=lambda item: float(item[0]))
        }
        for data, budgets in found.items()
    }


def _summarize_way(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"winners": [run.get("winner", "none") for run in runs]}
    for name in ("seconds", "accuracy", "first"):
        known = [float(run[name]) for run in runs if run.get(name) is not None]
        if known:
            found[name] = summary(known)
    return found


def goals(found: Summary) -> dict[str, dict[str, Any]]:
    """How many searches meet each goal, by the median of their repeats, and which do not."""
    checked: dict[str, dict[str, bool]] = {
        f"ends within {LATE:g} x": {}, "not below the baseline": {},
        f"{100 * LEAD:g} point above the baseline, photographs, {LEAD_MINUTES} min": {},
        f"first usable model within {FIRST_S:g} s": {},
    }  # fmt: skip
    late, base, lead, first = checked.values()
    for data, budgets in found.items():
        frozen = _median(budgets.get("0", {}).get("frozen", {}), "accuracy")
        for minutes, ways in budgets.items():
            own, case = ways.get("searchspace"), f"{data} {minutes} min"
            if own is None:
                continue
            late[case] = (_median(own, "seconds") or 0.0) <= LATE * 60 * float(minutes)
            first[case] = (_median(own, "first") or float("inf")) <= FIRST_S
            accuracy = _median(own, "accuracy") or 0.0
            if frozen is not None:
                base[case] = accuracy >= frozen
            if frozen is not None and data in PHOTOGRAPHS and float(minutes) >= LEAD_MINUTES:
                lead[case] = accuracy >= frozen + LEAD
    return {
        goal: {"met": sum(cases.values()), "of": len(cases), "not": [case for case, met in cases.items() if not met]}
        for goal, cases in checked.items()
    }


def _median(figures: dict[str, Any], name: str) -> float | None:
    return float(figures[name]["median"]) if name in figures else None
