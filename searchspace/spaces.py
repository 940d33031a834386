"""Search spaces: Optuna define-by-run functions from a trial and the task at hand to a configuration's values.

One's own is a function of the same two arguments in any Python file, given as `--space FILE.py:FUNCTION`; the names it
suggests are the fields of `TrialConfig`, and what it leaves out keeps that field's default.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import optuna
from pydantic import ValidationError

from searchspace.cli.invalid_values import say_wrong
from searchspace.sampling.space_file import load_function
from searchspace.sampling.space_trial import Range, SpaceError, SpaceTrial, plain
from trainables.augmentation.augmentation_registry import AUGMENTATIONS
from trainables.common.closest_match import suggest
from trainables.common.errors import UserError
from trainables.config import Frozen, TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.metrics.metric_registry import METRICS, MetricName
from trainables.models.model_registry import MODELS


class Task(Frozen):
    """What a space may depend on; the same for every trial of a search."""

    data: DataSummary
    """The data: classes, shape, counts."""
    models: tuple[str, ...]
    """Architectures to choose from."""
    pretrained: frozenset[str]
    """Those among them that bring weights of their own."""
    gpu: bool
    """Whether workers have a GPU; without one, the default space keeps to what two cores can train."""
    metric: MetricName = "accuracy"
    """What is made best."""


FEW_IMAGES = 10_000
"""Training images below which the first guesses augment."""
UNBALANCED = 1.5
"""Images of the largest class for each of the smallest, from which on it may pay to make up for it."""
RAISES, PRUNES = 10, 200
"""Times in a row that a space may raise: an error of its own, and `optuna.TrialPruned` for what is impossible."""
Space = Callable[[optuna.Trial, Task], dict[str, Any]]


def default_space(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    """Architecture first, then what that kind of network has to choose."""
    model = trial.suggest_categorical("model", list(task.models))
    values: dict[str, Any] = {"model": model, "batch_size": trial.suggest_categorical("batch_size", _batch_sizes(task))}
    values |= _backbone(trial, task) if model in task.pretrained else _from_scratch(trial, task, model)
    values["weight_decay"] = trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True)
    values["label_smoothing"] = trial.suggest_float("label_smoothing", 0.0, 0.2)
    values["dropout"] = trial.suggest_float("dropout", 0.0, 0.5)
    if is_unbalanced(task.data):
        values["balance"] = trial.suggest_categorical("balance", ["none", "loss", "sampling"])
    return values


def is_unbalanced(data: DataSummary) -> bool:
    """Whether some classes have so many more training images than others that it is worth a hyperparameter."""
    return data.imbalance > UNBALANCED


def _from_scratch(trial: optuna.Trial, task: Task, model: str) -> dict[str, Any]:
    values: dict[str, Any] = {"optimizer": trial.suggest_categorical("optimizer", ["muon", "adamw", "sgd"])}
    values["lr"] = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    fields = MODELS[model].fields
    if "width" in fields:
        values["width"] = trial.suggest_categorical("width", _widths(task))
    if "depth" in fields:
        values["depth"] = trial.suggest_int("depth", 2, 4)
    if "activation" in fields:
        values["activation"] = trial.suggest_categorical("activation", ["relu", "gelu", "silu"])
    if values["optimizer"] != "adamw":
        values["momentum"] = trial.suggest_float("momentum", 0.5, 0.97)
    for name in ("batch_norm", "whiten"):
        if name in fields:
            values[name] = trial.suggest_categorical(name, [True, False])
    return values | _augmentation(trial)


def _backbone(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    freeze = trial.suggest_categorical("freeze", ["all", "stem", "none"] if task.gpu else ["all"])
    values: dict[str, Any] = {"freeze": freeze, "head_lr": trial.suggest_float("head_lr", 1e-3, 1e-1, log=True)}
    if freeze == "all":
        # Plain images let the backbone run once a data set, instead of once an epoch.
        return values
    values["backbone_lr"] = trial.suggest_float("backbone_lr", 1e-5, 1e-3, log=True)
    return values | _augmentation(trial)


def _augmentation(trial: optuna.Trial) -> dict[str, Any]:
    searched = {name: entry for name, entry in AUGMENTATIONS.items() if entry.in_default_space}
    values = {name: suggest_augmentation(trial, name) for name, entry in searched.items() if entry.function}
    if values["flip"] != "none":  # a network that never saw a mirror image has nothing to say about one
        values["tta"] = trial.suggest_categorical("tta", [True, False])
    return values | {name: suggest_augmentation(trial, name) for name in searched if name not in values}


def suggest_augmentation(trial: optuna.Trial, name: str) -> Any:
    """Value of an augmentation in the range that the registry gives it; for spaces of one's own too."""
    entry = AUGMENTATIONS[name]
    if entry.choices:
        return trial.suggest_categorical(name, list(entry.choices))
    if isinstance(entry.low, int) and isinstance(entry.high, int):
        return trial.suggest_int(name, entry.low, entry.high)
    return trial.suggest_float(name, entry.low, entry.high)


def default_trials(task: Task, pins: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the default space's search begins: for each model, values that are seldom far off; pinned ones left out."""
    sizes, widths = _batch_sizes(task), _widths(task)
    common: dict[str, Any] = {"batch_size": sizes[min(1, len(sizes) - 1)], "label_smoothing": 0.1, "dropout": 0.1}
    if is_unbalanced(task.data):
        # Drawing the few more often did better than weighing them more, where every class counts alike.
        common["balance"] = "sampling" if METRICS[task.metric].averages_classes else "none"
    # Photographs keep their meaning in a mirror; what comes in grey is often written, printed or scanned.
    flips = {"flip": "alternating", "tta": True} if task.data.channels > 1 else {"flip": "none"}
    # A few epochs of many images teach more undistorted; few images are soon known by heart.
    strength = 0.2 if task.data.train < FEW_IMAGES else 0.0
    scratch = {
        "optimizer": "muon", "momentum": 0.6, "lr": 1e-2, "width": widths[1], "depth": 3,
        "activation": "relu", "batch_norm": True, "whiten": True, "weight_decay": 1e-2,
        "augment_strength": strength, "mixup": 0.0, "cutmix": 0.0, **flips,
    }  # fmt: skip
    backbone = {"freeze": "all", "head_lr": 1e-2, "weight_decay": 1e-3}
    starts = {model: backbone if model in task.pretrained else _own(model, scratch) for model in task.models}
    values = [{"model": model, **common, **start} for model, start in starts.items()]
    return [{name: value for name, value in start.items() if name not in pins} for start in values]


def _own(model: str, values: dict[str, Any]) -> dict[str, Any]:
    """Those of `values` that mean something to a network from scratch."""
    others = {field for known in MODELS.values() for field in known.fields} - {*MODELS[model].fields}
    return {name: value for name, value in values.items() if name not in others}


def _widths(task: Task) -> list[int]:
    return [32, 64, 128] if task.gpu else [8, 16, 32]


def _batch_sizes(task: Task) -> list[int]:
    sizes = [128, 256, 512, 1024] if task.gpu else [32, 64, 128, 256]
    return [size for size in sizes if size * 8 <= task.data.train] or [sizes[0]]


def load_space(reference: str) -> Space:
    """The function that `FILE.py:FUNCTION` names; raises `UserError` where there is none. Empty: `default_space`."""
    return cast(Space, load_function(reference)) if reference else default_space


class DrawError(UserError):
    """The space raised for one draw, which is left out; others may do."""

    def __init__(self, error: Exception) -> None:
        """Say what it raised."""
        said = " ".join(str(error).split())
        super().__init__(f"the space raised {type(error).__name__}" + (f": {said}" if said else ""))
        self.pruned = isinstance(error, optuna.TrialPruned)
        """Whether it said on purpose that this combination is impossible."""


class Patience:
    """How often in a row a space may raise before it is given up."""

    def __init__(self) -> None:
        """Begin a row."""
        self._raised = self._pruned = 0

    def give_up(self, error: UserError) -> bool:
        """Count one more; whether these are too many."""
        pruned = isinstance(error, DrawError) and error.pruned
        self._pruned += pruned
        self._raised += not pruned
        return self._raised >= RAISES or self._pruned >= PRUNES


def draw_config(
    space: Space, trial: optuna.Trial, task: Task, pins: dict[str, Any], known: dict[str, Range] | None = None
) -> TrialConfig:
    """Configuration that `space` suggests, with `pins` held; `known` collects the ranges of several draws.

    Raises `DrawError` where the space raised, and `SpaceError` naming the parameter where it asks for what cannot be
    searched, or gives no valid configuration.
    """
    try:
        values = space(cast(optuna.Trial, SpaceTrial(trial, pins, known)), task)
    except SpaceError:
        raise
    except Exception as error:  # whatever the user's function raises
        raise DrawError(error) from error
    if not isinstance(values, Mapping):
        raise SpaceError(f"the space returned {values!r}; expected a dict of hyperparameters")
    given = {str(name): plain(value) for name, value in values.items()}
    try:
        return TrialConfig(**(given | pins))
    except ValidationError as error:
        detail = error.errors()[0]
        name = ".".join(map(str, detail["loc"]))
        if name not in TrialConfig.model_fields:
            hint = suggest(name, TrialConfig.model_fields)
            raise SpaceError(f"the space gave {name!r}: no such hyperparameter{hint}") from error
        raise SpaceError(f"the space gave {name} {detail['input']!r}: {say_wrong(TrialConfig, detail)}") from error


def draw_configs(
    space: Space, study: optuna.Study, task: Task, pins: dict[str, Any], count: int
) -> Iterator[TrialConfig]:
    """So many configurations, leaving out draws that raise; raises `DrawError` where too many in a row do."""
    for _ in range(count):
        patience = Patience()
        while True:
            try:
                config = draw_config(space, study.ask(), task, pins)
                break
            except DrawError as error:
                if patience.give_up(error):
                    raise
        yield config
