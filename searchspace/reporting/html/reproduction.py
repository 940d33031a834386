"""Reproduction: the data set, and everything needed to repeat the search."""

import json
from collections.abc import Iterator
from typing import Any

from searchspace.forecast.forecast import format_duration
from searchspace.preparation.data_issues import describe_absent, describe_data_issues
from searchspace.preparation.prepare_data import describe_data
from searchspace.reporting.html.blocks import Block, Code, Figure, Note, Table, axis, figure_label
from searchspace.reporting.html.images import pictured_copies
from searchspace.reporting.results import SearchResults
from trainables.data.store.data_summary import DataSummary

MAX_NAMED_BARS = 40
"""Classes up to which each has a bar with its name."""


def data_set(results: SearchResults) -> Iterator[Block]:
    """Splits, classes, statistics, and data issues."""
    data = results.data
    yield Note(f"{describe_data(data)}.")
    names, counts = ("training", "validation", "test"), (data.train, data.val, data.test)
    whole = sum(counts)
    yield Table([{"split": n, "images": c, "share": f"{c / whole:.1%}"} for n, c in zip(names, counts, strict=True)])
    if data.counts:
        yield _balance(data)
    lines = [line.replace("`../", "").replace("`", "") for line in describe_data_issues(results.record["data"])]
    lines += [f"{line}." for line in describe_absent(data.absent)]
    mean, deviation = (", ".join(f"{value:.4f}" for value in values) for values in (data.mean, data.std))
    yield Note(" ".join([f"Channel means {mean}, deviations {deviation}, from 0 to 1, over training images.", *lines]))
    yield from pictured_copies(results)


def _balance(data: DataSummary) -> Figure:
    order = sorted(range(len(data.counts)), key=lambda index: -data.counts[index])
    named = len(order) <= MAX_NAMED_BARS
    trace = {
        "type": "bar", "x": list(range(len(order))), "y": [data.counts[index] for index in order],
        "text": [figure_label(data.classes[index]) for index in order], "textposition": "none",
        "hovertemplate": "%{text}: %{y:,}<extra></extra>", "marker": {"color": "var(--accent)"},
    }  # fmt: skip
    names = {"tickvals": trace["x"], "ticktext": trace["text"], "tickangle": -40}
    ticks = names if named else {"showticklabels": False}
    layout = {
        "height": 300, "yaxis": axis("training images"), "bargap": 0.25,
        "xaxis": axis("" if named else f"{len(order):,} classes, the largest first", **ticks, showgrid=False),
    }  # fmt: skip
    return Figure("balance", "Training images of each class", [trace], layout)


def reproduction(results: SearchResults) -> Iterator[Block]:
    """Command, code, data, versions and machine."""
    record, spec, data = results.record, results.spec, results.data
    yield Code(record["command"])
    facts: dict[str, Any] = {
        "seed": str(spec.seed), "code": record.get("git_commit"),
        "data": f"{data.name}, fingerprint {data.fingerprint}",
        "split": data.split, "started": record.get("started"), "resumed": ", ".join(record.get("resumed", [])),
        "machine": _list(record.get("machine", {})), "gangs": _list(record.get("gangs", {})),
        "workers": _list((record.get("workers") or [{}])[0]),
        "took": ", ".join(f"{name} by {format_duration(at)}" for name, at in record.get("took", {}).items()),
        "python": record.get("python"), "versions": _list(record.get("versions", {})),
    }  # fmt: skip
    yield Table([{"what": name, "is": value} for name, value in facts.items() if value])
    for number, config in results.winner_configs.items():
        yield Code(json.dumps(config.model_dump(), indent=1), f"Configuration of trial {number}")
    yield Code(json.dumps(record, indent=1), "All of search.json")
    yield Note(
        "On one slot of a CPU the same seed gives the same search to the bit; on several, who was faster has a say. "
        "study.journal has every trial and epoch."
    )


def _list(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
