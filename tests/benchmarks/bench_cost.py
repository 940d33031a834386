"""What `--budget-unit seconds` gains where an epoch of one model costs a hundred of another's.

    python tests/benchmarks/bench_cost.py [--trials 16] [--repeats 3]

Digits, the space of `mixed.py`; the same search with epochs and with seconds as the unit, same seeds, in turn. Counted
are training seconds, summed over the slots in the order in which epochs ended, until the first trial of at least a
validation accuracy, and in all; so that neither starting nor a busy machine's waiting counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from searchspace.spec import load_spec
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import read_config, read_curve
from tests.helpers.benchmarks.record import summary, write_record

HERE = Path(__file__).parent
TARGETS = (0.95, 0.98, 0.99)


def run_search(unit: str, trials: int, seed: int, results: Path) -> Path:
    """One search; returns its folder."""
    name = f"{unit}-{seed}"
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--seed", seed, "--name", name, "--results",
        results, "--models", "convnet,tf_efficientnet_lite0", "--space", f"{HERE / 'mixed.py'}:space",
        "--budget-unit", unit, "--max-epochs", 9, "--grace-epochs", 1, "--finalists", 1, "--final-seeds", 1,
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"searchspace failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return results / name


def seconds_until(folder: Path) -> dict[str, Any]:
    """Training seconds until each target, in all, and of each model; epochs in the order the study heard of them."""
    study = load_study(load_spec(folder), folder)
    trials = {t.number: t for t in study.get_trials(deepcopy=False) if read_curve(t)}
    seconds = {(n, r.epoch): r.seconds for n, t in trials.items() for r in read_curve(t)}
    lines = [json.loads(line) for line in (folder / "study.journal").read_text().splitlines()]
    found: dict[str, Any] = {f"until {target}": None for target in TARGETS}
    spent, models = 0.0, dict.fromkeys(("convnet", "tf_efficientnet_lite0"), 0.0)
    for line in lines:
        if "intermediate_value" not in line:
            continue
        number = line["trial_id"]  # one study in a journal: its trials' ids are their numbers
        spent += seconds[number, line["step"]]
        models[read_config(trials[number]).model] += seconds[number, line["step"]]
        for target in TARGETS:
            if line["intermediate_value"] >= target and found[f"until {target}"] is None:
                found[f"until {target}"] = round(spent, 1)
    each = {
        model: sorted(r.seconds for t in trials.values() if read_config(t).model == model for r in read_curve(t))
        for model in models
    }
    epoch = {model: round(values[len(values) // 2], 3) if values else None for model, values in each.items()}
    best = max((t.value for t in trials.values() if t.value is not None), default=0.0)
    return found | {"in all": round(spent, 1), "best": best, "by model": models, "seconds an epoch": epoch}


def main() -> None:
    """Measure, print the ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="bench-cost-"))
    runs: dict[str, list[dict[str, Any]]] = {"epochs": [], "seconds": []}
    for seed in range(given.repeats):
        for unit in sorted(runs, reverse=bool(seed % 2)):
            runs[unit].append(seconds_until(run_search(unit, given.trials, seed, root)))
            print(unit, seed, runs[unit][-1], flush=True)
    keys = [f"until {target}" for target in TARGETS] + ["in all"]
    pairs = list(zip(runs["epochs"], runs["seconds"], strict=True))
    ratios = {
        key: summary(values) for key in keys if (values := [a[key] / b[key] for a, b in pairs if a[key] and b[key]])
    }
    print("seconds with --budget-unit epochs / with seconds:", json.dumps(ratios, indent=1))
    settings = {"trials": given.trials, "slots": len(os.sched_getaffinity(0))}
    arguments = [f"--trials {given.trials}", f"--repeats {given.repeats}"]
    print(write_record("bench_cost", {"settings": settings, "runs": runs, "ratios": ratios}, arguments))


if __name__ == "__main__":
    main()
