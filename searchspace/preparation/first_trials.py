"""The first trials of the default space: heads that are solved for at once, then a good guess for each other model."""

from collections.abc import Mapping
from typing import Any

from searchspace.own_code.own_hyperparameters import own_defaults
from searchspace.spaces import Space, Task, batch_sizes, cuts, default_space, head_solvers, is_unbalanced, widths
from trainables.augmentation.augmentation_registry import own_augmentations
from trainables.metrics.metric_registry import METRICS
from trainables.models.model_registry import MODELS, OwnModel

FEW_IMAGES = 10_000
"""Training images below which the first guesses augment."""


def first_trials(space: Space, task: Task, pins: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The values of the first trials, probes before defaults; none for a user's own space."""
    return [*probe_trials(task, pins), *default_trials(task, pins)] if space is default_space else []


def probe_trials(task: Task, pins: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The very first trials of the default space: the head of each frozen backbone, as a convex problem.

    They take seconds, rank the backbones and are a baseline for all that is trained. Without the pinned values; none
    where pins exclude them.
    """
    closed = {"freeze": "all", "head_solver": "lbfgs"}
    if any(pins.get(name, value) != value for name, value in closed.items()):
        return []
    common = closed | {"tta": False} | _common(task)
    models = [model for model in task.models if model in task.pretrained and pins.get("model", model) == model]
    return [_without(pins, {"model": model, **common}) for model in models]


def default_trials(task: Task, pins: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials after those: a good guess for each model that is trained, without the pinned values."""
    sizes, known_widths = batch_sizes(task), widths(task)
    common = {"batch_size": sizes[min(1, len(sizes) - 1)], "label_smoothing": 0.1, "dropout": 0.1, **_common(task)}
    # A mirrored photograph keeps its class; grey images are often written, printed or scanned.
    flips = {"flip": "alternating", "tta": True} if task.data.channels > 1 else {"flip": "none"}
    # Few images are overfitted without augmentation; many images in a few epochs are not.
    strength = 0.2 if task.data.train < FEW_IMAGES else 0.0
    augmented = {
        "augment_strength": strength, "mixup": 0.0, "cutmix": 0.0, **flips,
        **({"crop_scale": 1.0} if task.data.fit_matters else {}),
        **{name: entry.off for name, entry in own_augmentations().items()},
    }  # fmt: skip
    scratch = {
        "optimizer": "muon", "momentum": 0.6, "lr": 1e-2, "width": known_widths[1], "depth": 3,
        "activation": "relu", "batch_norm": True, "whiten": True, "weight_decay": 1e-2, **augmented,
    }  # fmt: skip
    starts = [
        {"model": model, **_own(model, common | scratch), **own_defaults(model)}
        for model in task.models
        if model not in task.pretrained
    ]
    if freeze := _trained_cut(task, pins):
        tuned = {"freeze": freeze, "head_lr": 1e-2, "weight_decay": 1e-3}
        own = augmented if freeze != "lower" else {"cached_views": 0, "tta": False, **flips}
        tuned |= {"head_solver": "gradient"} if freeze == "all" else {"backbone_lr": 1e-4, **own}
        starts = [{"model": model, **common, **tuned} for model in task.models if model in task.pretrained] + starts
    return [_without(pins, start) for start in starts]


def _trained_cut(task: Task, pins: Mapping[str, Any]) -> str:
    """What the default of a trained backbone keeps frozen; empty where no backbone is trained by gradient steps."""
    offered = [pins["freeze"]] if "freeze" in pins else cuts(task)
    tuned = [cut for cut in offered if cut != "all"]
    by_steps = pins.get("head_solver") == "gradient" or (len(head_solvers(task)) > 1 and "head_solver" not in pins)
    return tuned[0] if tuned else "all" if by_steps else ""


def _common(task: Task) -> dict[str, Any]:
    """What the first trials of all models have."""
    values: dict[str, Any] = {}
    if is_unbalanced(task.data):
        # Sampling rare classes more often did better than weighting their losses, where all classes count alike.
        values["balance"] = "sampling" if METRICS[task.metric].averages_classes else "none"
    if task.data.fit_matters:  # nothing of an image is lost
        values["fit"] = "stretch"
    return values


def _without(pins: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in pins}


def _own(model: str, values: dict[str, Any]) -> dict[str, Any]:
    """Those of `values` that mean something to a network from scratch."""
    others = {field for known in MODELS.values() for field in known.fields} - {*MODELS[model].fields}
    if isinstance(MODELS[model], OwnModel):
        others |= {"dropout"}  # it has a head of its own
    return {name: value for name, value in values.items() if name not in others}
