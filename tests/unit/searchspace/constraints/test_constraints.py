"""Architectures are measured as they would be shipped, once, and what does not fit is refused with its reason."""

from contextlib import closing

import pytest

from searchspace.constraints.constraints import (
    ConstraintChecker,
    kinds_to_measure,
)
from searchspace.spec import make_spec
from tests.helpers.measured_costs import SMALL, WIDE
from trainables.augmentation.augmentation_registry import AUGMENTATIONS
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_cost import (
    architecture_of,
    cache_file,
    shaping_fields,
)
from trainables.models.model_registry import MODELS

TRAINING = {
    "whiten", "dropout", "freeze", "head_solver", "head_init", "optimizer", "lr", "head_lr", "backbone_lr", "momentum",
    "weight_decay", "batch_size", "balance", "warmup", "label_smoothing", "mixup", "cutmix", "augment_strength", "flip",
    "grad_clip", "fit", *AUGMENTATIONS,
}  # fmt: skip
"""Fields of `TrialConfig` that change how a network is trained, or its weights, but not what it costs when shipped."""


def test_every_hyperparameter_shapes_the_network_or_its_training():
    shaping = {field for model in MODELS for field in shaping_fields(model)}
    assert set(TrialConfig().hyperparameters) == shaping | TRAINING, "say where a new hyperparameter belongs"
    assert not shaping & TRAINING


def test_data_of_another_shape_is_another_architecture(digits):
    plain = architecture_of(SMALL, digits)
    others = [{"height": 9}, {"width": 9}, {"channels": 3}, {"classes": ("a", "b")}]
    keys = {cache_file(architecture_of(SMALL, digits.model_copy(update=other)), "run") for other in others}
    assert len(keys | {cache_file(plain, "run"), cache_file(plain, "count")}) == 6
    same = digits.model_copy(update={"fingerprint": "x", "train": 5, "path": "/elsewhere"})
    assert cache_file(architecture_of(SMALL, same), "run") == cache_file(plain, "run")


def test_without_limits_nothing_is_measured_or_started(digits):
    with closing(ConstraintChecker(make_spec(name="x"), digits)) as gate:
        assert (gate.refusal(WIDE), gate.cost(WIDE), gate.ready(WIDE), gate.measures) == ("", None, True, False)
        assert gate._client._process is None


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, ()),
        ({"max_params": 5}, ("count",)),
        ({"max_params": 5, "max_size_mb": 1.0}, ("count", "run")),
        ({"objectives": "accuracy,latency"}, ("run",)),
        ({"max_memory_mb": 1.0}, ("run",)),
    ],
)
def test_only_what_is_asked_for_is_measured(options, kinds):
    assert kinds_to_measure(make_spec(name="x", **options)) == kinds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_latency_ms": 0.0}, "--max-latency-ms 0.0: expected a number above 0"),
        ({"max_params": -1}, "--max-params -1"),
        ({"max_size_mb": float("inf")}, "--max-size-mb inf: .*finite"),
        ({"objectives": "latency"}, "--objectives 'latency': expected accuracy or accuracy,latency"),
    ],
)
def test_wrong_limits(options, message):
    with pytest.raises(UserError, match=message):
        make_spec(name="x", **options)
