"""A search space of one's own: two networks, each with a learning rate in a range of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """A range of learning rates."""

    low: float
    high: float


RATES = {"convnet": Rates(3e-3, 5e-2), "mlp": Rates(1e-3, 1e-2)}


def space(trial, task):
    """Hyperparameters of one trial, by their names; what is left out keeps its default."""
    model = trial.suggest_categorical("model", [name for name in task.models if name in RATES])
    rates = RATES[model]
    return {
        "model": model,
        "lr": trial.suggest_float("lr", rates.low, rates.high, log=True),
        "width": trial.suggest_categorical("width", [16, 32, 64]),
        "label_smoothing": 0.1 if len(task.data.classes) > 5 else 0.0,
    }
