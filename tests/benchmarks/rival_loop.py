"""Rival: a plain Optuna loop over networks from scratch and pretrained backbones, in one process, until time is up.

It is written as Optuna's and torchvision's documentation have it: image folders, a data loader, TPE, successive
halving.
The weights of the best validation score at any epoch are kept, and tested at the end.
"""

import argparse
import copy
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import torch
from cnn import make_network
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from trainables.models.model_registry import missing_weights
from trainables.models.pretrained import load_backbone

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
EPOCHS, GRACE, FACTOR = 18, 2, 3
"""As a search has them by default."""
SCRATCH_SIDE = 128
"""Largest input of a network from scratch."""


@dataclass
class Best:
    """The best network so far."""

    score: float = -1.0
    network: Any = None
    transform: Any = None
    words: str = ""
    curve: list[tuple[float, float]] = field(default_factory=list)


def space(trial: optuna.Trial, models: list[str]) -> dict[str, Any]:
    """Networks, how much of a backbone learns, and what plain PyTorch has of the other hyperparameters."""
    config: dict[str, Any] = {"model": trial.suggest_categorical("model", models)}
    if config["model"] == "convnet":
        config |= {
            "width": trial.suggest_categorical("width", [16, 32, 64]), "depth": trial.suggest_int("depth", 2, 3),
            "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True),
        }  # fmt: skip
    else:
        config |= {
            "freeze": trial.suggest_categorical("freeze", ["none", "all"]),
            "lr": trial.suggest_float("head_lr", 1e-4, 1e-1, log=True),
            "backbone_lr": trial.suggest_float("backbone_lr", 1e-5, 1e-3, log=True),
        }
    return config | {
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64, 128]),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "flip": trial.suggest_categorical("flip", [False, True]),
        "crop_scale": trial.suggest_float("crop_scale", 0.35, 1.0),
    }


def build(config: dict[str, Any], classes: int, side: int) -> tuple[nn.Module, Any, Any, list[dict[str, Any]]]:
    """Network, transforms of training and other images, and the optimizer's groups of weights."""
    if config["model"] == "convnet":
        network: nn.Module = make_network(config, 3, classes)
        groups = [{"params": network.parameters(), "lr": config["lr"]}]
        size, mean, std = min(side, SCRATCH_SIDE), (0.5,) * 3, (0.25,) * 3
    else:
        trunk, features, spec = load_backbone(config["model"])
        head = nn.Sequential(nn.Dropout(config["dropout"]), nn.Linear(features, classes))
        trunk.requires_grad_(config["freeze"] == "none")
        network, size, mean, std = nn.Sequential(trunk, head), spec.side, spec.mean, spec.std
        groups = [{"params": head.parameters(), "lr": config["lr"]}]
        if config["freeze"] == "none":
            groups.append({"params": trunk.parameters(), "lr": config["backbone_lr"]})
    ending = [transforms.ToTensor(), transforms.Normalize(mean, std)]
    changes = [transforms.RandomResizedCrop(size, scale=(config["crop_scale"], 1.0))]
    changes += [transforms.RandomHorizontalFlip()] if config["flip"] else []
    plain = transforms.Compose([transforms.Resize((size, size)), *ending])
    return network, transforms.Compose([*changes, *ending]), plain, groups


@torch.inference_mode()
def accuracy(network: nn.Module, folder: Path, transform: Any) -> float:
    """Share of a folder's images whose likeliest class is right."""
    network.eval()
    loader = DataLoader(ImageFolder(folder, transform), 64)
    right = sum(int((network(images).argmax(dim=1) == labels).sum()) for images, labels in loader)
    return right / len(loader.dataset)  # type: ignore[arg-type]  # a folder has a length


def train(trial: optuna.Trial, config: dict[str, Any], folder: Path, end: float, best: Best, started: float) -> float:
    """One trial, until its end, its pruning, or the end of the time; `started` and `end` are Unix times."""
    classes = len(ImageFolder(folder / "train").classes)
    network, changed, plain, groups = build(config, classes, min(ImageFolder(folder / "train")[0][0].size))
    loader = DataLoader(ImageFolder(folder / "train", changed), config["batch_size"], shuffle=True)
    optimizer = torch.optim.AdamW(groups, weight_decay=config["weight_decay"])
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=EPOCHS * len(loader), pct_start=0.1)
    score = 0.0
    for epoch in range(1, EPOCHS + 1):
        network.train()
        for images, labels in loader:
            if time.time() > end:
                trial.study.stop()
                raise optuna.TrialPruned
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels, label_smoothing=config["label_smoothing"]).backward()
            optimizer.step()
            schedule.step()
        score = accuracy(network, folder / "val", plain)
        if score > best.score:
            best.score, best.network, best.transform = score, copy.deepcopy(network), plain
            best.words = f"{config['model']} {config.get('freeze', 'from scratch')}"
            best.curve.append((time.time() - started, score))
        trial.report(score, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return score


def main(folder: Path, seconds: float, seed: int, started: float) -> None:
    """Search until nine tenths of `seconds` since `started` are over, and test; prints JSON."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    models = ["convnet", *(name for name in BACKBONES if not missing_weights(name))]
    best, end = Best(), started + 0.9 * seconds

    def objective(trial: optuna.Trial) -> float:
        torch.manual_seed(1000 * seed + trial.number)
        return train(trial, space(trial, models), folder, end, best, started)

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=GRACE, reduction_factor=FACTOR),
    )
    study.optimize(objective, timeout=max(1.0, end - time.time()))
    tested = accuracy(best.network, folder / "test", best.transform) if best.network is not None else None
    found = {"accuracy": tested, "winner": best.words, "curve": best.curve, "trials": len(study.trials)}
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--started", type=float, default=time.time())
    given = parser.parse_args()
    main(given.folder, given.seconds, given.seed, given.started)
