"""Search spaces: Optuna define-by-run functions from a trial and the task at hand to a configuration's values.

A user's space is a function of the same two arguments in a Python file, given as `--space FILE.py:FUNCTION`. It
suggests fields of `TrialConfig` by their names; a field that it leaves out keeps its default.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import optuna
from pydantic import ValidationError

from searchspace.cli.invalid_values import describe_error
from searchspace.own_code.own_hyperparameters import own_hyperparameters, own_names, suggest_own, with_own_apart
from searchspace.sampling.space_file import load_function
from searchspace.sampling.space_trial import Range, SpaceError, SpaceTrial, plain
from trainables.augmentation.augmentation_registry import AUGMENTATIONS
from trainables.common.errors import UserError, suggest
from trainables.config import Frozen, TrialConfig
from trainables.data.loading.square_fit import FIT_KINDS
from trainables.data.store.data_summary import DataSummary
from trainables.metrics.metric_registry import MetricName
from trainables.models.efficientnet_lite import is_packaged
from trainables.models.model_registry import MODELS, OwnModel


class Task(Frozen):
    """The facts that a space may depend on; the same for all trials of a search."""

    data: DataSummary
    """The data: classes, shape, counts."""
    models: tuple[str, ...]
    """Architectures to choose from."""
    pretrained: frozenset[str]
    """Those among them that have pretrained weights."""
    gpu: bool
    """Whether workers have a GPU; without one, the default space keeps to what two cores can train."""
    metric: MetricName = "accuracy"
    """What the search maximises."""


MAX_SOLVED = 10_000_000
"""Training images times classes above which a head is found by gradient steps, too."""
MIN_IMBALANCE = 1.5
"""Size of the largest class divided by that of the smallest, from which on balancing is searched."""
MAX_ERRORS, MAX_PRUNED = 10, 200
"""Draws in a row for which a space may raise an error, and `optuna.TrialPruned`, before it is given up."""
Space = Callable[[optuna.Trial, Task], dict[str, Any]]


def default_space(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    """The architecture first, then how it is trained, then the hyperparameters that mean something to that."""
    model = trial.suggest_categorical("model", list(task.models))
    values: dict[str, Any] = {"model": model}
    values |= _backbone(trial, task) if model in task.pretrained else _from_scratch(trial, task, model)
    if task.data.fit_matters:
        values["fit"] = trial.suggest_categorical("fit", list(FIT_KINDS))
    if is_unbalanced(task.data):
        # A head that is solved for weighs images, whether "loss" or "sampling" says so.
        solved = values.get("head_solver") == "lbfgs"
        values["balance"] = trial.suggest_categorical("balance", ["none", "loss", "sampling"])
        values["balance"] = "loss" if solved and values["balance"] == "sampling" else values["balance"]
    return values


def _by_steps(trial: optuna.Trial, task: Task, has_head: bool = True) -> dict[str, Any]:
    """What all networks have that learn by gradient steps; one that has its own head drops nothing in front of it."""
    values = {
        "batch_size": trial.suggest_categorical("batch_size", batch_sizes(task)),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
    }
    return values | ({"dropout": trial.suggest_float("dropout", 0.0, 0.5)} if has_head else {})


def is_unbalanced(data: DataSummary) -> bool:
    """Whether class sizes differ so much that balancing is worth a hyperparameter."""
    return data.imbalance > MIN_IMBALANCE


def _from_scratch(trial: optuna.Trial, task: Task, model: str) -> dict[str, Any]:
    entry = MODELS[model]
    values = _by_steps(trial, task, has_head=not isinstance(entry, OwnModel))
    values["optimizer"] = trial.suggest_categorical("optimizer", ["muon", "adamw", "sgd"])
    values["lr"] = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    fields = entry.fields
    if "width" in fields:
        values["width"] = trial.suggest_categorical("width", widths(task))
    if "depth" in fields:
        values["depth"] = trial.suggest_int("depth", 2, 4)
    if "activation" in fields:
        values["activation"] = trial.suggest_categorical("activation", ["relu", "gelu", "silu"])
    if values["optimizer"] != "adamw":
        values["momentum"] = trial.suggest_float("momentum", 0.5, 0.97)
    for name in ("batch_norm", "whiten"):
        if name in fields:
            values[name] = trial.suggest_categorical(name, [True, False])
    return values | suggest_own(trial, own_hyperparameters(model)) | _augmentation(trial, task)


def _backbone(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    values: dict[str, Any] = {"freeze": trial.suggest_categorical("freeze", cuts(task))}
    if values["freeze"] == "all":
        values["head_solver"] = trial.suggest_categorical("head_solver", head_solvers(task))
        if values["head_solver"] == "lbfgs":
            return values | {"tta": trial.suggest_categorical("tta", [True, False])}
    values |= _by_steps(trial, task) | {"head_lr": trial.suggest_float("head_lr", 1e-3, 1e-1, log=True)}
    if values["freeze"] == "all":
        # Without augmentation the backbone runs once over the data, instead of once an epoch.
        return values
    values["backbone_lr"] = trial.suggest_float("backbone_lr", 1e-5, 1e-3, log=True)
    if values["freeze"] == "lower":
        # Training begins from the probe, on activations that are computed once: of the image, its mirror image, views.
        values |= {"head_init": "probe", "flip": suggest_augmentation(trial, "flip")}
        values["cached_views"] = suggest_augmentation(trial, "cached_views")
        return values | {"tta": trial.suggest_categorical("tta", [True, False])}
    return values | _augmentation(trial, task)


def cuts(task: Task) -> list[str]:
    """Which parts of a pretrained backbone may keep their weights; `lower` where all backbones can be cut."""
    lower = ["lower"] if task.pretrained and all(map(is_packaged, task.pretrained)) else []
    return ["all", *lower, *(["stem", "none"] if task.gpu else [])]


def head_solvers(task: Task) -> list[str]:
    """How the head of a frozen backbone may be found: at once, unless the problem outgrows one solver.

    Gradient steps on the same features gain nothing over the optimum of the convex problem.
    """
    return ["lbfgs", "gradient"] if task.data.train * len(task.data.classes) > MAX_SOLVED else ["lbfgs"]


def _augmentation(trial: optuna.Trial, task: Task) -> dict[str, Any]:
    searched = {name: entry for name, entry in AUGMENTATIONS.items() if entry.in_default_space}
    values = {name: suggest_augmentation(trial, name) for name, entry in searched.items() if entry.function}
    if values["flip"] != "none":  # averaging over mirrored images helps only a network that was trained on them
        values["tta"] = trial.suggest_categorical("tta", [True, False])
    if task.data.fit_matters:
        values["crop_scale"] = suggest_augmentation(trial, "crop_scale")
    return values | {name: suggest_augmentation(trial, name) for name in searched if name not in values}


def suggest_augmentation(trial: optuna.Trial, name: str) -> Any:
    """Value of an augmentation in the range that the registry gives it; for users' spaces too."""
    entry = AUGMENTATIONS[name]
    if entry.choices:
        return trial.suggest_categorical(name, list(entry.choices))
    if isinstance(entry.low, int) and isinstance(entry.high, int):
        return trial.suggest_int(name, entry.low, entry.high)
    return trial.suggest_float(name, entry.low, entry.high)


def widths(task: Task) -> list[int]:
    """Widths of networks from scratch."""
    return [32, 64, 128] if task.gpu else [8, 16, 32]


def batch_sizes(task: Task) -> list[int]:
    """Images of a step, at least eight of which make an epoch."""
    sizes = [128, 256, 512, 1024] if task.gpu else [32, 64, 128, 256]
    return [size for size in sizes if size * 8 <= task.data.train] or [sizes[0]]


def load_space(reference: str) -> Space:
    """The function that `FILE.py:FUNCTION` names; raises `UserError` where there is none. Empty: `default_space`."""
    return cast(Space, load_function(reference)) if reference else default_space


class DrawError(UserError):
    """The space raised for one draw, which is refused; other draws may succeed."""

    def __init__(self, error: Exception) -> None:
        """Describe `error`, which the space raised."""
        said = " ".join(str(error).split())
        super().__init__(f"the space raised {type(error).__name__}" + (f": {said}" if said else ""))
        self.pruned = isinstance(error, optuna.TrialPruned)
        """Whether the space raised `optuna.TrialPruned`: the combination is impossible on purpose."""


class DrawErrorCounter:
    """Counts the draws in a row for which a space raises."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._raised = self._pruned = 0

    def add(self, error: UserError) -> bool:
        """Count one more; True if these are too many."""
        pruned = isinstance(error, DrawError) and error.pruned
        self._pruned += pruned
        self._raised += not pruned
        return self._raised >= MAX_ERRORS or self._pruned >= MAX_PRUNED


def draw_config(
    space: Space, trial: optuna.Trial, task: Task, pins: dict[str, Any], known: dict[str, Range] | None = None
) -> TrialConfig:
    """Configuration that `space` suggests, with `pins` held; `known` collects the ranges of several draws.

    Raises `DrawError` if the space raised, and `SpaceError` naming the parameter if the space suggests what cannot be
    searched, or returns no valid configuration.
    """
    try:
        values = space(cast(optuna.Trial, SpaceTrial(trial, pins, known)), task)
    except SpaceError:
        raise
    except Exception as error:  # the user's function may raise anything
        raise DrawError(error) from error
    if not isinstance(values, Mapping):
        raise SpaceError(f"the space returned {values!r}; expected a dict of hyperparameters")
    given = {str(name): plain(value) for name, value in values.items()}
    try:
        return TrialConfig(**with_own_apart(given | pins))
    except ValidationError as error:
        detail = error.errors()[0]
        name = ".".join(map(str, detail["loc"]))
        if name not in TrialConfig.model_fields:
            hint = suggest(name, [*TrialConfig.model_fields, *own_names()])
            raise SpaceError(f"the space gave {name!r}: no such hyperparameter{hint}") from error
        raise SpaceError(f"the space gave {name} {detail['input']!r}: {describe_error(TrialConfig, detail)}") from error


def draw_configs(
    space: Space, study: optuna.Study, task: Task, pins: dict[str, Any], count: int
) -> Iterator[TrialConfig]:
    """`count` configurations, without draws that raise; raises `DrawError` if too many in a row do."""
    for _ in range(count):
        patience = DrawErrorCounter()
        while True:
            try:
                config = draw_config(space, study.ask(), task, pins)
                break
            except DrawError as error:
                if patience.add(error):
                    raise
        yield config
