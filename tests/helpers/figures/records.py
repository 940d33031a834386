"""Records as text needs them: figures by path, numbers with their spread, machines by letter."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.repository import ROOT

FOLDER = ROOT / "results" / "benchmarks"
WITHOUT_A_CLOCK = {
    "bench_anytime", "bench_distil_cifar10", "bench_guide", "bench_imbalance", "bench_intervals", "bench_replay",
    "bench_comparison",
}  # fmt: skip
"""Records of scores and counts, which other work on the machine does not change."""
NOT_RECORDED = "memory and instruction sets not recorded"


@dataclass(frozen=True)
class Record:
    """One file of `results/benchmarks`."""

    name: str
    facts: dict[str, Any]
    """The whole of it."""

    def at(self, *path: str) -> Any:
        """What lies at a path in its figures; KeyError names what is missing."""
        found = self.facts["figures"]
        for part in path:
            try:
                found = found[part]
            except KeyError:
                raise KeyError(f"{self.name}.json has no {' > '.join(path)}") from None
        return found

    @property
    def n(self) -> int:
        """How often the whole was measured."""
        return int(self.facts["n"])

    @property
    def commit(self) -> str:
        """First digits of the commit that was measured."""
        commit, _, changed = self.facts["git_commit"].partition("+")
        return commit[:9] + (" with changes" if changed else "")

    @property
    def date(self) -> str:
        """Day of the measurement."""
        return str(self.facts["started"])[:10]

    @property
    def machine(self) -> str:
        """The machine in words."""
        machine, settings = self.facts["machine"], self.facts["figures"].get("settings", {})
        gpu = machine.get("gpu") or (settings.get("device", "") if "NVIDIA" in str(settings.get("device")) else "")
        parts = [*([f"one {gpu}"] if gpu else []), f"{machine['cores']} cores of {machine['cpu']}"]
        if "cpu_flags" not in machine:
            return ", ".join([*parts, NOT_RECORDED])
        return ", ".join([*parts, f"{machine['memory_gb']:.0f} GiB"]) + f" ({' '.join(machine['cpu_flags'])})"

    @property
    def busy(self) -> bool:
        """Whether the machine had other work when a measurement by the clock began: load above half its cores."""
        machine = self.facts["machine"]
        return self.name not in WITHOUT_A_CLOCK and bool(
            machine.get("load_average_before", [0])[0] > machine["cores"] / 2
        )

    @property
    def versions(self) -> str:
        """What decides about speed."""
        found = self.facts["versions"]
        return f"Python {self.facts['python']}, torch {found['torch']}, Ray {found['ray']}, Optuna {found['optuna']}"


class Records:
    """All records; a machine has the same letter in every text."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.all = {
            file.stem: Record(file.stem, json.loads(file.read_text())) for file in sorted(folder.glob("*.json"))
        }
        machines = sorted({record.machine for record in self.all.values()}, key=lambda m: (NOT_RECORDED in m, m))
        self.machines = {machine: "ABCDEFGH"[i] for i, machine in enumerate(machines)}

    def __getitem__(self, name: str) -> Record:
        return self.all[name]

    def __contains__(self, name: str) -> bool:
        return name in self.all

    def letter(self, record: Record) -> str:
        """The machine of a record, with a star where it was busy with other things."""
        return self.machines[record.machine] + ("*" if record.busy else "")


def show(value: float) -> str:
    """Three significant digits, with commas in thousands."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def span(summary: dict[str, float], unit: str = "", scale: float = 1.0) -> str:
    """Median, and least to largest where it was measured more than once."""
    low, middle, high = (show(scale * summary[key]) for key in ("least", "median", "largest"))
    return f"{middle}{unit}" + (f" ({low}–{high})" if summary["n"] > 1 and low != high else "")


def percent(summary: dict[str, float]) -> str:
    """A share as a percentage with its spread."""
    low, middle, high = (f"{100 * summary[key]:.1f}" for key in ("least", "median", "largest"))
    return f"{middle} %" + (f" ({low}–{high})" if summary["n"] > 1 and low != high else "")


def either(values: list[str]) -> str:
    """Values of a row's cases, in the order of its heading."""
    return " / ".join(values)
