"""Made cases for the choice between families: what training costs and reaches, as formulas of the configuration."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from searchspace.families.family import family_of
from searchspace.preparation.first_trials import default_trials, probe_trials
from searchspace.spaces import Space, Task, default_space
from searchspace.spec import SearchSpec, make_spec
from tests.helpers.simulated_search import Behaviour, Problem, Training, simulate_search
from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary

LITE = tuple(f"tf_efficientnet_lite{size}" for size in (0, 1, 2))
MAX_EPOCHS, VAL_IMAGES = 18, 500
TURN = 6
"""Epoch at which a late riser begins to rise."""
LATE_SHARE = 0.1
"""Share of a late riser's fall, in the logarithm of the error, that it has had by then, from epoch 1."""


@dataclass(frozen=True)
class Curves:
    """How the trials of one family learn."""

    best: float
    """Score of the best configuration at full length."""
    epoch_seconds: float
    """Of a closed form, of the whole trial."""
    slope: float = 0.2
    """Fall of the logarithm of the error with that of the epoch, on average."""
    late: bool = False
    """Whether most of that fall comes after `TURN`."""
    feature_seconds: float = 0.0
    """To compute the features that its trials share."""


@dataclass(frozen=True)
class FamilyCase:
    """What a simulated search is of, and when it is looked at."""

    curves: Mapping[str, Curves]
    """By the learning of the family: `scratch`, `closed form`, `fine-tuned above lower`."""
    times: tuple[float, ...]
    """Seconds at which the best score so far is read, ascending."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Points that a backbone is better than the others, by its name."""


CASES = {
    "photographs": FamilyCase(
        {
            "scratch": Curves(0.77, 22.0), "closed form": Curves(0.88, 0.4, feature_seconds=10.0),
            "fine-tuned above lower": Curves(0.915, 6.0, 0.1, feature_seconds=30.0),
        }, (150, 300, 600, 1200), {LITE[1]: 0.005, LITE[2]: 0.01},
    ),
    "digits": FamilyCase(
        {
            "scratch": Curves(0.996, 3.0 / MAX_EPOCHS, 0.8), "closed form": Curves(0.93, 0.4, feature_seconds=10.0),
            "fine-tuned above lower": Curves(0.96, 2.0, feature_seconds=20.0),
        }, (30, 60, 90, 120),
    ),
    "late": FamilyCase(
        {
            "scratch": Curves(0.97, 5.0, 1.0, late=True), "closed form": Curves(0.88, 0.4, feature_seconds=10.0),
            "fine-tuned above lower": Curves(0.915, 6.0, 0.1, feature_seconds=30.0),
        }, (300, 600, 1200, 2400), {LITE[1]: 0.005, LITE[2]: 0.01},
    ),
}  # fmt: skip
"""Photographs on which networks from scratch cannot win, small images on which they do, and on which they rise late."""


def simulate_case(
    case: FamilyCase, folder: Path, seed: int, families: bool, space: Space = default_space
) -> tuple[list[float], dict[str, float]]:
    """Best score so far at each of the case's times, and the seconds that each learning had, over two slots."""
    spec, task = _spec(folder, seed), _task()
    problem = Problem(task, space, [*probe_trials(task, {}), *default_trials(task, {})], behaviour_of(case))
    best, due, found = 0.0, list(case.times), list[float]()
    spent = dict.fromkeys(case.curves, 0.0)
    for epoch in simulate_search(spec, problem, families, case.times[-1]):
        while due and epoch.time > due[0]:
            due.pop(0)
            found.append(best)
        best = max(best, epoch.score)
        learning = family_of(epoch.config).learning
        spent[learning] += case.curves[learning].epoch_seconds
    return found + [best] * len(due), spent


def small_space(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    """The families of the default space with one hyperparameter each, from which a sampler draws quickly."""
    values: dict[str, Any] = {"model": trial.suggest_categorical("model", list(task.models))}
    if values["model"] not in task.pretrained:
        return values | {"lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True)}
    values["freeze"] = trial.suggest_categorical("freeze", ["all", "lower"])
    if values["freeze"] == "lower":
        return values | {"head_init": "probe", "head_lr": trial.suggest_float("head_lr", 1e-3, 1e-1, log=True)}
    return values | {"head_solver": "lbfgs", "tta": trial.suggest_categorical("tta", [True, False])}


def behaviour_of(case: FamilyCase) -> Behaviour:
    """What training does in a case: power laws, and a loss by each hyperparameter's distance from its best value."""

    def train(config: TrialConfig, rng: random.Random) -> Training:
        learning = family_of(config).learning
        curves = case.curves[learning]
        final = 1 - curves.best - case.steps.get(config.model, 0.0)
        logarithm = math.log(final) + _distance(config, learning) + rng.gauss(0, 0.03)
        slope = curves.slope * math.exp(rng.gauss(0, 0.3))
        count = 1 if learning == "closed form" else MAX_EPOCHS
        errors = (logarithm + _above(curves, slope, epoch) + rng.gauss(0, 0.02) for epoch in range(1, count + 1))
        if count == 1:
            errors = iter([logarithm])
        scores = [round(VAL_IMAGES * max(0.0, 1 - math.exp(error))) / VAL_IMAGES for error in errors]
        features = (config.model, learning) if curves.feature_seconds else None
        return Training(scores, curves.epoch_seconds, features, curves.feature_seconds)

    return train


def _above(curves: Curves, slope: float, epoch: int) -> float:
    """The logarithm of the error after `epoch`, above that at full length."""
    whole, turned = slope * math.log(MAX_EPOCHS), math.log(epoch) / math.log(TURN)
    if not curves.late:
        return whole * (1 - math.log(epoch) / math.log(MAX_EPOCHS))
    if epoch <= TURN:
        return whole * (1 - LATE_SHARE * turned)
    return whole * (1 - LATE_SHARE) * math.log(MAX_EPOCHS / epoch) / math.log(MAX_EPOCHS / TURN)


def _distance(config: TrialConfig, learning: str) -> float:
    """Loss of a configuration against the best one of its family, in the logarithm of the error."""
    if learning == "closed form":
        return 0.0 if config.tta else 0.03
    rate, best = (config.lr, 6e-3) if learning == "scratch" else (config.head_lr, 2e-2)
    loss = 0.25 * math.log10(rate / best) ** 2 + 0.03 * abs(math.log10(config.weight_decay / 1e-3))
    return loss + 0.3 * abs(config.dropout - 0.2) + 0.3 * abs(config.label_smoothing - 0.08)


def _spec(folder: Path, seed: int) -> SearchSpec:
    return make_spec(
        name=f"case-{seed}", results=str(folder), seed=seed, trials=10_000, max_epochs=MAX_EPOCHS, sampler="tpe"
    )


def _task() -> Task:
    data = DataSummary(
        name="made", path="", origin="made", classes=tuple(f"class {index}" for index in range(10)), channels=3,
        height=64, width=64, train=2000, val=VAL_IMAGES, test=500, mean=(0.5,) * 3, std=(0.25,) * 3, split="drawn",
        split_seed=0, leaked=0, fingerprint="",
    )  # fmt: skip
    return Task(data=data, models=("convnet", *LITE), pretrained=frozenset(LITE), gpu=False)
