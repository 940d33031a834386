"""Epochs until a search has a trial as good as what Ray's guide pattern ends with, on real training.

    python tests/benchmarks/bench_guide.py [--trials 32] [--repeats 3] [--root FOLDER]

The guide pattern (`rival_guide.py`: Ray's `OptunaSearch` + ASHA) searches a hand-written CNN and ends with its best
full-length validation accuracy. This project runs once on the same space, so that searching and training are all that
differ, and once as it comes, with its own space and first guesses. Counted are all epochs of all trials until the
first trial that has at least that accuracy, at full length and at any epoch; and that accuracy less its standard error,
for it is the best of a few noisy ones and differs as much from one run of the guide to the next. Same data, splits,
epochs a trial and rungs; digits, and 2,000 + 1,000 images of Fashion-MNIST. What is in `--root` is not run again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cnn import FACTOR, GRACE, MAX_EPOCHS
from subset import write_subset

from tests.helpers.benchmarks.record import last_json, summary, write_record

HERE = Path(__file__).parent
VALIDATION = {"digits": 229, "fashion-2000": 1000}
"""Images that accuracy is measured on."""
KEYS = ("at any epoch", "at full length", "within a standard error, at full length")


def run_guide(data: str, trials: int, seed: int, root: Path) -> dict[str, Any]:
    """The rival, in a process of its own."""
    kept = root / f"guide-{Path(data).name}-{seed}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    command = [sys.executable, str(HERE / "rival_guide.py"), data, str(trials), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"rival_guide.py failed:\n{done.stderr[-3000:]}")
    found = last_json(done.stdout)
    kept.write_text(json.dumps(found))
    return found


def run_searchspace(data: str, trials: int, seed: int, own: bool, results: Path) -> Path:
    """This project's search; returns its folder."""
    name = f"{Path(data).name}-{seed}-{'own' if own else 'same'}"
    if (results / name / "winner" / "metrics.json").is_file():
        return results / name
    space = [] if own else ["--space", f"{HERE / 'cnn.py'}:space"]
    command = [
        sys.executable, "-m", "searchspace.run", "--data", data, "--trials", trials, "--seed", seed, "--name", name,
        "--results", results, "--max-epochs", MAX_EPOCHS, "--grace-epochs", GRACE, "--reduction-factor", FACTOR,
        "--finalists", 1, "--final-seeds", 1, *space,
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"searchspace failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return results / name


def epochs_until(folder: Path, wanted: float, images: int) -> dict[str, float | None]:
    """Epochs trained, by all trials, when the first had `wanted`, measured on so many images, or that but for noise.

    In the order in which the study heard of them.
    """
    noise = (wanted * (1 - wanted) / images) ** 0.5
    lines = [json.loads(line) for line in (folder / "study.journal").read_text().splitlines()]
    ends = [(line["step"], line["intermediate_value"]) for line in lines if "intermediate_value" in line]
    found: dict[str, float | None] = {"epochs": len(ends)} | dict.fromkeys(KEYS)
    for count, (epoch, score) in enumerate(ends, start=1):
        reached = (
            score >= wanted,
            epoch == MAX_EPOCHS and score >= wanted,
            epoch == MAX_EPOCHS and score >= wanted - noise,
        )
        for key, able in zip(KEYS, reached, strict=True):
            if able and found[key] is None:
                found[key] = count
    found["best"] = max((score for epoch, score in ends if epoch == MAX_EPOCHS), default=0.0)
    return found


def shares(runs: list[dict[str, Any]], way: str, key: str) -> dict[str, Any]:
    """Shares of the guide's epochs, of the runs that reached it, and how many did."""
    reached = [run[way][key] / run["guide"]["epochs"] for run in runs if run[way][key]]
    return {"reached": len(reached), "of": len(runs)} | ({"shares": summary(reached)} if reached else {})


def main() -> None:
    """Measure, print the shares, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    root = given.root or Path(tempfile.mkdtemp(prefix="bench-guide-"))
    fashion = root / "fashion-2000"
    if not fashion.is_dir():
        write_subset("fashion-mnist", {"train": 2000, "val": 1000, "test": 500}, fashion)
    figures: dict[str, Any] = {"settings": {"trials": given.trials, "max_epochs": MAX_EPOCHS}}
    for data in ("digits", str(fashion)):
        runs = []
        for seed in range(given.repeats):
            guide = run_guide(data, given.trials, seed, root)
            ways = {
                way: epochs_until(
                    run_searchspace(data, given.trials, seed, way == "own", root),
                    guide["best"],
                    VALIDATION[Path(data).name],
                )
                for way in ("same", "own")
            }
            runs.append({"guide": guide, **ways})
            print(Path(data).name, seed, runs[-1], flush=True)
        figures[Path(data).name] = {"runs": runs} | {
            f"{way} space, {key}, share of the guide's epochs": shares(runs, way, key)
            for way in ("same", "own")
            for key in KEYS
        }
        print({key: value for key, value in figures[Path(data).name].items() if key != "runs"}, flush=True)
    arguments = [f"--trials {given.trials}", f"--repeats {given.repeats}"]
    print(write_record("bench_guide", figures, arguments, n=given.repeats))


if __name__ == "__main__":
    main()
