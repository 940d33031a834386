"""Unbalanced classes: a search that may weigh losses or balance its sampling, against one that may not.

    python tests/benchmarks/bench_imbalance.py DATA [--trials 12] [--max-epochs 6] [--width 8] [--repeats 2]

DATA is a folder of parquet files with CIFAR-10. Its training part is cut to classes of 5,000 down to 250 images, in
equal ratios from one class to the next (the long tail of arXiv:1901.05555, at a ratio of 20); its test part stays
balanced. Both ways search for `--metric balanced_accuracy` with the same seeds and budget, from the shell, and are
compared by what their winners do on the test split, which each opens once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from searchspace.finals.finalist import read_finalists
from searchspace.spec import load_spec
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import read_config
from tests.helpers.benchmarks.record import summary, write_record

MOST, FEWEST = 5000, 250
"""Images of the first class and of the last."""
RAREST = 3
"""Classes whose mean recall is told beside all classes'."""
WAYS = {"unweighted": ("--set", "balance=none"), "searched": ()}


def write_cut(source: Path, folder: Path, seed: int = 0) -> list[int]:
    """Write the cut of `source` into `folder` as parquet, test part and all; returns the images of each class."""
    folder.mkdir(parents=True)
    train = pa.concat_tables(pq.read_table(file) for file in sorted(source.glob("train-*.parquet")))
    labels = train["label"].to_numpy()
    classes = int(labels.max()) + 1
    counts = np.geomspace(MOST, FEWEST, classes).round().astype(int).tolist()
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in enumerate(counts)]
    pq.write_table(train.take(np.sort(np.concatenate(kept))), folder / "train-00000-of-00001.parquet")
    for file in source.glob("test-*.parquet"):
        (folder / file.name).symlink_to(file.resolve())
    return counts


def search(data: Path, results: Path, way: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Run one search from the shell; what its winner is, and does on the test split."""
    name = f"{way}-{seed}"
    command = [
        sys.executable, "-m", "searchspace.run", "--data", data, "--metric", "balanced_accuracy", "--models", "convnet",
        "--trials", given.trials, "--max-epochs", given.max_epochs, "--grace-epochs", 2, "--finalists", 2,
        "--final-seeds", 1,
        "--set", f"width={given.width}", "--set", "depth=2", "--seed", seed, "--name", name, "--results", results,
        *WAYS[way],
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    metrics = json.loads((results / name / "winner" / "metrics.json").read_text())
    study = load_study(load_spec(results / name), results / name)
    winner = read_finalists(study)[0]
    recalls = [entry["recall"] for entry in metrics["classes"]]
    return {
        "winner's balance": [read_config(study.get_trials()[number]).balance for number in winner.members],
        "validation balanced accuracy": winner.score,
        "test balanced accuracy": metrics["recall_macro"],
        "test macro F1": metrics["f1_macro"],
        f"test recall of the {RAREST} rarest": float(np.mean(recalls[-RAREST:])),
        f"test recall of the {RAREST} commonest": float(np.mean(recalls[:RAREST])),
        "test recalls": recalls,
    }


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--max-epochs", type=int, default=6)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="bench-imbalance-") as scratch:
        data = Path(scratch) / "cifar10-long-tail"
        counts = write_cut(given.data, data)
        for seed in range(given.repeats):
            for way in [*WAYS][:: 1 if seed % 2 == 0 else -1]:
                runs[way].append(search(data, Path(scratch) / "results", way, seed, given))
                print(f"seed {seed}  {way}: {json.dumps(runs[way][-1])}", flush=True)
    scores = [key for key, value in runs["searched"][0].items() if isinstance(value, float)]
    figures = {way: {key: summary([run[key] for run in found]) for key in scores} for way, found in runs.items()}
    gains = {
        key: summary([after[key] - before[key] for before, after in zip(*runs.values(), strict=True)]) for key in scores
    }
    for key in scores:
        print(f"{key}: {figures['unweighted'][key]['median']:.4f} -> {figures['searched'][key]['median']:.4f}")
    arguments = ["CIFAR10", f"--trials {given.trials}", f"--max-epochs {given.max_epochs}", f"--width {given.width}"]
    settings = {"images of each class": counts, "models": "convnet", "depth": 2, **vars(given), "data": "CIFAR-10"}
    print(
        write_record(
            "bench_imbalance",
            {"settings": settings, "ways": figures, "gains": gains, "runs": runs},
            [*arguments, f"--repeats {given.repeats}"],
        )
    )


if __name__ == "__main__":
    main()
