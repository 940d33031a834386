"""What a budget buys: test accuracy after 2, 5 and 10 minutes, beside a baseline, an Optuna loop and an old commit.

    python tests/benchmarks/bench_budget.py --hymenoptera ../shared/data/hymenoptera --cifar10 ../shared/data/cifar10 \\
        --fashion fashion-mnist --earlier 4a7c7a2 [--data hymenoptera,few] [--budgets 2,5,10] [--repeats 1]
        [--ways searchspace,frozen,loop,earlier] [--test 10000] [--again]
    python tests/benchmarks/budget_curves.py
    python tests/benchmarks/figures.py

Parts may be run one after another: each run is added to `results/benchmarks/bench_budget.json` when it has ended, and
those that are there are not repeated unless `--again`. On two cores a whole repeat takes some five hours; by data set:

    for data in hymenoptera cifar10 fashion unbalanced few; do
        python tests/benchmarks/bench_budget.py … --data $data; done

All ways see the same image folders, with the same images for training, validation and test. Each run is timed from the
shell, by the clock, with an empty cache, so that decoding and features of frozen backbones are in its seconds:

- `searchspace`: `--budget`, everything included;
- `frozen`: frozen backbones and scikit-learn's logistic regression (`rival_frozen.py`), once, without a budget;
- `loop`: a plain Optuna loop in one process within the same seconds (`rival_loop.py`);
- `earlier`: the commit of `--earlier`, with `--time-budget`, from a checkout of its own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.budget_data import SETS, write_set
from tests.helpers.benchmarks.budget_runs import (
    describe,
    goals,
    read_runs,
    read_search,
    summarize,
)
from tests.helpers.benchmarks.record import COMMIT, ROOT, last_json, write_record
from tests.helpers.benchmarks.timed_command import TimedCommand, run_command

NAME = "bench_budget"
HERE = Path(__file__).parent
FROZEN = "frozen"
WAYS = ("searchspace", FROZEN, "loop", "earlier")
PATIENCE = (4.0, 300.0)
"""A run is ended after so many times its budget, and seconds more: what it takes beyond its budget is a finding."""
FROZEN_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Case:
    """One run: a data set, a way, a budget in minutes (0: none), and which repeat, its seed."""

    data: str
    way: str
    minutes: float
    repeat: int

    @property
    def key(self) -> dict[str, Any]:
        """What a record of it has."""
        return {"data": self.data, "way": self.way, "minutes": self.minutes, "repeat": self.repeat}


def cases(given: argparse.Namespace) -> list[Case]:
    """All runs that are asked for: data by data, and within a budget all ways, so that they meet like conditions."""
    found = []
    for data in given.data:
        for repeat in range(given.repeats):
            if FROZEN in given.ways:
                found.append(Case(data, FROZEN, 0, repeat))
            found += [
                Case(data, way, minutes, repeat) for minutes in given.budgets for way in given.ways if way != FROZEN
            ]
    return found


def run_search(case: Case, images: Path, code: Path, options: list[str], scratch: Path) -> dict[str, Any]:
    """A search from a checkout of this project."""
    command = [
        sys.executable, "-m", "searchspace.run", "--data", images, "--name", "bench", "--results", scratch / "results",
        "--seed", case.repeat, *options,
    ]  # fmt: skip
    done = run_command(command, _timeout(case), scratch / "log", _environment(code, scratch), code)
    return _describe_run(done) | read_search(scratch / "results" / "bench", done.started)


def run_rival(case: Case, images: Path, scratch: Path) -> dict[str, Any]:
    """A rival's script in a process of its own; it counts its seconds from the start of the process."""
    script, options = ("rival_frozen.py", []) if case.way == FROZEN else ("rival_loop.py", _loop_options(case))
    command = [sys.executable, HERE / script, images, "--started", time.time(), *options]
    timeout = FROZEN_TIMEOUT_S if case.way == FROZEN else _timeout(case)
    done = run_command(command, timeout, scratch / "log", _environment(ROOT, scratch), ROOT)
    found = _describe_run(done)
    if done.code == 0:
        known = {name: value for name, value in last_json(done.output).items() if name != "seconds"}
        found |= known | {"first": known["curve"][0][0]} if known.get("curve") else known
    return found


def _loop_options(case: Case) -> list[object]:
    return ["--seconds", 60 * case.minutes, "--seed", case.repeat]


def _timeout(case: Case) -> float:
    return PATIENCE[0] * 60 * case.minutes + PATIENCE[1]


def _environment(code: Path, scratch: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{code}", "SEARCHSPACE_CACHE": str(scratch / "cache"), "PYTHONUNBUFFERED": "1"}


def _describe_run(done: TimedCommand) -> dict[str, Any]:
    """Seconds, and how it ended where that was not well."""
    found: dict[str, Any] = {"seconds": round(done.seconds, 2)}
    if done.timed_out:
        found["timed out"] = True
    if done.code:
        found |= {"code": done.code, "output": done.output[-1500:]}
    return found


def budget_options(code: Path, minutes: float) -> list[str]:
    """How a commit is told its seconds: `--budget` for everything, or `--time-budget` where it has no other."""
    known = subprocess.run(
        [sys.executable, "-m", "searchspace.run", "--help"], capture_output=True, text=True, check=True, cwd=code,
        env=os.environ | {"PYTHONPATH": str(code), "COLUMNS": "200"},
    ).stdout  # fmt: skip
    name = "--budget" if "--budget " in known else "--time-budget"
    return [name, f"{60 * minutes:g}s"]


def keep(runs: list[dict[str, Any]], given: argparse.Namespace) -> Path:
    """Write the record anew: runs, their summary, goals."""
    summary = summarize(runs)
    settings = {"earlier": given.earlier, "test": given.test}
    figures = {"settings": settings, "summary": summary, "goals": goals(summary), "runs": runs}
    return write_record(NAME, figures, [f"--earlier {given.earlier}"] if given.earlier else [])


def measure(given: argparse.Namespace, folder: Path, earlier: Path | None) -> None:
    """Run all that is asked for and not known yet."""
    runs = read_runs(NAME)
    for case in cases(given):
        known = [run for run in runs if all(run[name] == value for name, value in case.key.items())]
        if known and not given.again:
            continue
        images = write_set(case.data, given.sources, given.test, given.images or folder)
        with tempfile.TemporaryDirectory(prefix="bench-budget-run-") as scratch:
            load = round(os.getloadavg()[0], 2)
            found = _runner(case, earlier)(images, Path(scratch))
        runs = [run for run in runs if run not in known]
        runs.append(case.key | {"commit": given.earlier if case.way == "earlier" else COMMIT, "load": load} | found)
        keep(runs, given)
        print(describe(runs[-1]), flush=True)


def _runner(case: Case, earlier: Path | None) -> Callable[[Path, Path], dict[str, Any]]:
    if case.way in {FROZEN, "loop"}:
        return lambda images, scratch: run_rival(case, images, scratch)
    code = earlier if case.way == "earlier" and earlier is not None else ROOT
    options = budget_options(code, case.minutes)
    return lambda images, scratch: run_search(case, images, code, options, scratch)


def parse(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """The arguments; sets whose source is not given are left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("hymenoptera", "cifar10", "fashion"):
        parser.add_argument(f"--{name}", default="", help="folder or name of the source; empty leaves the set out")
    parser.add_argument("--data", default=",".join(SETS))
    parser.add_argument("--budgets", default="2,5,10", help="minutes")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--test", type=int, default=2000, help="test images of a large set")
    parser.add_argument("--earlier", default="", help="commit; empty leaves that way out")
    parser.add_argument("--images", type=Path, help="where the image folders are kept; default: a temporary folder")
    parser.add_argument("--again", action="store_true", help="repeat runs that are in the record")
    given = parser.parse_args(None if arguments is None else list(arguments))
    sources = {name: getattr(given, name) for name in ("hymenoptera", "cifar10", "fashion")}
    given.sources = {name: str(Path(s).resolve()) if Path(s).exists() else s for name, s in sources.items() if s}
    large = {"cifar10", "fashion"} & given.sources.keys()
    able = given.sources.keys() | ({"unbalanced", "few"} if large else set())
    given.data = [name for name in given.data.split(",") if name in able]
    given.budgets = [float(minutes) for minutes in given.budgets.split(",")]
    given.ways = [way for way in given.ways.split(",") if way != "earlier" or given.earlier]
    return given


def main() -> None:
    """Measure, and say which goals are met."""
    given = parse()
    folder = Path(tempfile.mkdtemp(prefix="bench-budget-"))
    earlier = folder / "code" if "earlier" in given.ways else None
    try:
        if earlier is not None:
            subprocess.run(["git", "worktree", "add", "--detach", str(earlier), given.earlier], cwd=ROOT, check=True)
        measure(given, folder, earlier)
    finally:
        if earlier is not None:
            subprocess.run(["git", "worktree", "remove", "--force", str(earlier)], cwd=ROOT, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    for goal, met in goals(summarize(read_runs(NAME))).items():
        print(f"{goal}: {met['met']} of {met['of']}" + (f"; not: {', '.join(met['not'])}" if met["not"] else ""))


if __name__ == "__main__":
    main()
