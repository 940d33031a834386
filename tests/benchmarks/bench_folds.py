"""Whether the winner that folds choose is better on the test than that of the drawn validation, at equal cost.

    python tests/benchmarks/bench_folds.py --data FOLDER [--repeats 40] [--images 0]

Real photographs, each repeat split anew: 30 % test, and the rest as a search splits it. Random heads on frozen
EfficientNet-Lite0 features of three input sizes are one search each; its best five by the search's validation are
trained again, five times each: from five seeds, scored on the drawn validation, or on five folds. Both winners are
trained on train + validation from five seeds and tested. Beside them the search's best, any finalist, and the one that
is best on the test. The optimism is the winner's re-score minus its test score.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from searchspace.finals.fold_comparison import FoldedImages
from searchspace.finals.select_winner import FinalistPredictions, select_winner
from tests.helpers.benchmarks.record import INTERVAL, write_record
from trainables.config import Fold, TrialConfig
from trainables.data.finals_validation import Partition
from trainables.data.folds import FoldPartitions, assign_folds
from trainables.data.store.store import open_store, prepare_data
from trainables.metrics.metric_registry import compute_score
from trainables.models.build_model import build_model
from trainables.training.features.runtime import eager_features

SIDES = (64, 128, 224)
CONFIGURATIONS, FINALISTS, TRAININGS = 16, 5, 5
EPOCHS = 8


def features_by_side(data: str) -> tuple[dict[int, Tensor], NDArray[np.int64]]:
    """Features of all images, train, validation and test, and their classes."""
    store = open_store(prepare_data(data))
    folder = Path(store.summary.path)
    parts = [(store.images, store.labels)]
    parts.append((np.load(folder / "test" / "images.npy"), np.load(folder / "test" / "labels.npy")))
    images = np.concatenate([np.asarray(each) for each, _ in parts])
    found = {}
    for side in SIDES:
        config = TrialConfig(model="tf_efficientnet_lite0", freeze="all", input_size=side)
        model = build_model(config, store.summary).eval()
        chunks = [eager_features(model, torch.from_numpy(images[i : i + 32])) for i in range(0, len(images), 32)]
        found[side] = torch.from_numpy(torch.cat(chunks).float().numpy().copy())  # no longer inference mode's
    return found, np.concatenate([labels for _, labels in parts])


def draw_configuration(rng: np.random.Generator) -> dict[str, Any]:
    """A random head."""
    return {
        "side": int(rng.choice(SIDES)), "lr": float(10 ** rng.uniform(-4, -0.5)),
        "batch": int(rng.choice([32, 64])), "decay": float(10 ** rng.uniform(-5, 0)),
        "dropout": float(rng.uniform(0, 0.5)), "smoothing": float(rng.choice([0.0, 0.1])),
    }  # fmt: skip


def train(
    config: dict[str, Any], features: dict[int, Tensor], labels: NDArray[np.int64], rows: NDArray[np.int64],
    scored: NDArray[np.int64], seed: int,
) -> NDArray[np.float32]:  # fmt: skip
    """Probabilities of the scored images after a head was trained on `rows`."""
    torch.manual_seed(seed)
    inputs, targets = features[config["side"]], torch.from_numpy(labels)
    head = nn.Linear(inputs.shape[1], int(labels.max()) + 1)
    steps = EPOCHS * max(1, round(len(rows) / config["batch"]))
    optimizer = torch.optim.AdamW(head.parameters(), config["lr"], weight_decay=config["decay"], foreach=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config["lr"], steps)
    order = torch.cat([torch.from_numpy(rows)[torch.randperm(len(rows))] for _ in range(EPOCHS)])
    for batch in order.tensor_split(steps):
        seen = functional.dropout(inputs[batch], config["dropout"])
        loss = functional.cross_entropy(head(seen), targets[batch], label_smoothing=config["smoothing"])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships no types for it
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        found: NDArray[np.float32] = head(inputs[torch.from_numpy(scored)]).softmax(1).numpy()
        return found


def one_search(seed: int, features: dict[int, Tensor], labels: NDArray[np.int64], most: int) -> dict[str, float]:
    """Test scores of the winners of one search, and the optimism of their re-scores."""
    rng = np.random.default_rng(seed)
    rest, test = train_test_split(np.arange(len(labels)), test_size=0.3, stratify=labels, random_state=seed)
    rest = train_test_split(rest, train_size=most, stratify=labels[rest], random_state=seed)[0] if most else rest
    first, val = train_test_split(rest, test_size=0.15, stratify=labels[rest], random_state=seed)
    rows = np.concatenate([first, val])  # as a store has them
    own = labels[rows]

    def said(config: dict[str, Any], train_rows: Any, scored: Any, run: int) -> NDArray[np.float32]:
        return train(config, features, labels, train_rows, scored, 1000 * seed + run)

    configs = [draw_configuration(rng) for _ in range(CONFIGURATIONS)]
    search = [said(config, first, val, 0) for config in configs]
    right = [(each.argmax(1) == labels[val]).mean() for each in search]
    losses = [-compute_score("log_loss", each, labels[val]) for each in search]
    chosen = sorted(range(CONFIGURATIONS), key=lambda i: (-right[i], losses[i]))[:FINALISTS]

    drawn = Partition.from_labels(own, len(first), "drawn")
    folds = FoldPartitions(Partition.from_labels(own, len(first), "folds"), own, None)
    of_each = assign_folds(own[: len(first)], TRAININGS)
    ways: dict[str, list[FinalistPredictions]] = {"drawn": [], "folds": []}
    for number in chosen:
        seeds = {
            run: said(configs[number], rows[drawn.final_train], rows[drawn.final_val], 1 + run)
            for run in range(TRAININGS)
        }
        pooled = np.empty((len(first), search[0].shape[1]), np.float32)
        for index in range(TRAININGS):
            part = folds.partition(Fold(index=index, count=TRAININGS))
            pooled[part.final_val] = said(configs[number], rows[part.final_train], rows[part.final_val], 11 + index)
        ways["drawn"].append(FinalistPredictions((number,), right[number], True, seeds, 0, 1.0))
        ways["folds"].append(FinalistPredictions((number,), right[number], True, {0: pooled}, 0, 1.0))
    tested = {
        number: float(np.mean([(said(configs[number], rows, test, 21 + i).argmax(1) == labels[test]).mean()
                               for i in range(TRAININGS)])) for number in chosen
    }  # fmt: skip
    winners = {
        "drawn": select_winner("accuracy", ways["drawn"], own[drawn.final_val])[0],
        "folds": select_winner("accuracy", ways["folds"], own[: len(first)], FoldedImages({0: of_each}, len(val)))[0],
    }
    found = {name: tested[winner.members[0]] for name, winner in winners.items()}
    found |= {f"{name} optimism": winner.score - tested[winner.members[0]] for name, winner in winners.items()}
    found |= {"best of the search": tested[chosen[0]], "search optimism": float(right[chosen[0]]) - tested[chosen[0]]}
    return found | {"any finalist": float(np.mean(list(tested.values()))), "best on the test": max(tested.values())}


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--images", type=int, nargs="+", default=[0], help="train + validation images; 0: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    features, labels = features_by_side(options.data)
    figures = {}
    for most in options.images:
        each = []
        for seed in range(options.repeats):
            each.append(one_search(seed, features, labels, most))
            print({name: round(value, 4) for name, value in each[-1].items()}, flush=True)
        gain = [100 * (one["folds"] - one["drawn"]) for one in each]
        points = {name: round(100 * float(np.mean([one[name] for one in each])), 2) for name in each[0]}
        spread = 1.96 * float(np.std(gain, ddof=1)) / len(gain) ** 0.5
        counts = [sum(np.sign(one) == sign for one in gain) for sign in (1, 0, -1)]
        name = f"{most or round(0.7 * len(labels))} images"
        figures[name] = points | {
            "folds better than drawn, points": {"mean": round(float(np.mean(gain)), 2), "plus_minus": round(spread, 2)},
            "folds better, equal, worse": [int(count) for count in counts],
        }
        print(name, figures[name], flush=True)
    arguments = [f"--data {Path(options.data).name}", f"--repeats {options.repeats}"]
    print(write_record("bench_folds", figures, arguments, options.repeats, INTERVAL))


if __name__ == "__main__":
    main()
