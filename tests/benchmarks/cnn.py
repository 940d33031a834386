"""The small CNN search on digits that all three ways of `bench_search.py` do: same data, space, epochs, stopping."""

from typing import Any

import numpy as np
import torch
from torch import nn

MAX_EPOCHS, GRACE, FACTOR = 9, 1, 3


def space(trial: Any, task: Any = None) -> dict[str, Any]:
    """Searchspace's and Optuna's define-by-run function; the rival on Ray Tune has the same ranges."""
    return {
        "model": "convnet",
        "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True),
        "width": trial.suggest_categorical("width", [16, 32]),
        "depth": trial.suggest_int("depth", 2, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128]),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
    }


def load_split(origin: str = "digits") -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalised training images and labels, validation images and labels: the split searchspace uses too."""
    from trainables.data.store.store import open_store, prepare_data

    store = open_store(prepare_data(origin))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (store.summary.mean, store.summary.std))
    images = (torch.from_numpy(np.array(store.images)).float() / 255 - mean) / std
    labels = torch.from_numpy(store.labels)
    train, val = store.rows("train"), store.rows("val")
    return images[train], labels[train], images[val], labels[val]


def make_network(config: dict[str, Any], channels: int = 1, classes: int = 10) -> nn.Sequential:
    """The convnet's shape as one writes it by hand: the same convolutions on the same maps."""
    layers: list[nn.Module] = [nn.Conv2d(channels, 8, 2), nn.ReLU()]
    incoming = 8
    for block in range(config["depth"]):
        width = config["width"] * (4 if block else 1)
        pool = [nn.MaxPool2d(2)] if block == 0 else []
        layers += [nn.Conv2d(incoming, width, 3, padding=1, bias=False), *pool, nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        incoming = width
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(config["dropout"]), nn.Linear(incoming, classes)
    )


def make_optimizer(network: nn.Module, config: dict[str, Any], steps: int) -> tuple[Any, Any]:
    """AdamW with a one-cycle cosine."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, config["lr"], total_steps=steps, pct_start=0.1)


@torch.inference_mode()
def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose likeliest class is right."""
    network.eval()
    return float((network(images).argmax(dim=1) == labels).float().mean())
