"""A space where epochs differ in cost by some hundred times: tiny CNNs, and a pretrained backbone that learns."""

from typing import Any


def space(trial: Any, _task: Any) -> dict[str, Any]:
    """Half of all random draws are a backbone that learns as a whole."""
    model = trial.suggest_categorical("model", ["convnet", "tf_efficientnet_lite0"])
    values = {
        "model": model,
        "batch_size": 32,
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
    }
    if model == "convnet":
        return values | {
            "optimizer": "muon",
            "momentum": 0.6,
            "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True),
            "width": trial.suggest_categorical("width", [8, 16]),
            "depth": trial.suggest_int("depth", 2, 3),
        }
    return values | {
        "freeze": "none",
        "head_lr": trial.suggest_float("head_lr", 1e-3, 1e-1, log=True),
        "backbone_lr": trial.suggest_float("backbone_lr", 1e-5, 1e-3, log=True),
    }
