"""What a budget buys: a table by data set and minutes, and which goals are met."""

from collections.abc import Iterator
from typing import Any

from tests.helpers.figures.marked import Part
from tests.helpers.figures.records import Record, Records, percent, span
from tests.helpers.figures.rows import Row, row
from tests.helpers.repository import ROOT

NAME, PICTURE = "bench_budget", ROOT / "docs" / "budget.svg"
WAYS = {
    "frozen": "frozen backbone + logistic regression",
    "loop": "plain Optuna loop",
    "earlier": "earlier commit, `--time-budget`",
}
"""What is measured beside a search, in words."""
HEAD = ("data", "minutes", "searchspace", "first usable model", "winner", *WAYS.values())


def _budgets(records: Records, docs: str) -> str:
    """One line for each data set and budget, and the picture, if it was drawn, in `docs`; or that none was recorded."""
    if NAME not in records:
        return "\n\nNot recorded yet.\n\n"
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---:|" + "---|" * (len(HEAD) - 2)]
    lines += [f"| {' | '.join(cells)} |" for cells in _lines(records[NAME])]
    picture = [f"\n![best validation score so far by seconds]({docs}/{PICTURE.name})"] if PICTURE.exists() else []
    return "\n\n" + "\n".join(lines + picture) + "\n\n"


def _lines(record: Record) -> Iterator[list[str]]:
    for data, by_minutes in record.at("summary").items():
        baseline = by_minutes.get("0", {}).get("frozen", {})
        for minutes, ways in by_minutes.items():
            if "searchspace" in ways:
                own, beside = ways["searchspace"], {"frozen": baseline, **ways}
                first = span(own["first"], " s") if "first" in own else "none"
                cells = [data, minutes, _cell(own), first, " / ".join(dict.fromkeys(own["winners"]))]
                yield cells + [_cell(beside.get(way, {})) for way in WAYS]


def _cell(found: dict[str, Any]) -> str:
    """Test accuracy, and the seconds taken."""
    if not found:
        return ""
    accuracy = percent(found["accuracy"]) if "accuracy" in found else "no test"
    return f"{accuracy}, {span(found['seconds'], ' s')}"


@row(NAME, essential=True)
def _goals(r: Record) -> Row:
    found = r.at("goals")
    return Row(
        "budgets of 2, 5 and 10 minutes, everything included, on five data sets: goals that are met",
        "; ".join(f"{goal}: {case['met']} of {case['of']}" for goal, case in found.items() if case["of"]),
    )


def short_budget(records: Records) -> str:
    """The goals that are missed, and where."""
    if NAME not in records:
        return ""
    missed = [f"{goal} ({', '.join(case['not'])})" for goal, case in records[NAME].at("goals").items() if case["not"]]
    return f"Budgets miss these goals: {'; '.join(missed)}." if missed else ""


BUDGET_PARTS: dict[str, Part] = {
    "docs_budgets": lambda records: _budgets(records, "."),
    "all_budgets": lambda records: _budgets(records, "../../docs"),
}
