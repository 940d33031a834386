"""Architectures are measured as they would be shipped, once, and what does not fit is refused with its reason."""

import subprocess
import sys
import time
from contextlib import closing

import optuna
import pytest

from searchspace.constraints.constraints import (
    ConstraintChecker,
    kinds_to_measure,
)
from searchspace.engine.suggest import ConfigSuggester
from searchspace.export import print_shipment
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from searchspace.study.refusals import is_refused
from searchspace.study.study import create_study
from searchspace.study.trial_attributes import read_trial_cost
from tests.helpers.made_search import made_shipment
from tests.helpers.measured_costs import SMALL, WIDE
from trainables.augmentation.augmentation_registry import AUGMENTATIONS
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_cost import (
    BenchmarkError,
    architecture_of,
    cache_file,
    read_cost,
    shaping_fields,
)
from trainables.export.benchmark.benchmark_client import BenchmarkClient
from trainables.models.model_registry import MODELS

TRAINING = {
    "whiten", "dropout", "freeze", "optimizer", "lr", "head_lr", "backbone_lr", "momentum", "weight_decay",
    "batch_size", "balance", "warmup", "label_smoothing", "mixup", "cutmix", "augment_strength", "flip",
    "grad_clip", "fit", *AUGMENTATIONS,
}  # fmt: skip
"""Fields of `TrialConfig` that change how a network is trained, or its weights, but not what it costs when shipped."""


def test_more_is_more(measured):
    small, wide = measured[SMALL], measured[WIDE]
    assert 0 < small.latency_ms < wide.latency_ms
    assert small.size_mb < wide.size_mb
    assert 0 < small.memory_mb < wide.memory_mb
    assert small.parameters < wide.parameters


def test_the_cache_survives_the_process_and_takes_no_other(measured, digits):
    code = """
import sys, time
from trainables.config import TrialConfig
from trainables.data.store.store import prepare_data
from trainables.export.benchmark.architecture_cost import architecture_of
from trainables.export.benchmark.benchmark_client import BenchmarkClient
data, client = prepare_data("digits"), BenchmarkClient()
started = time.perf_counter()
cost = client.measure(architecture_of(TrialConfig(width=8, lr=0.5), data), "run")
print(time.perf_counter() - started < 0.5, client._process is None, "torch" not in sys.modules, cost.latency_ms)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True", str(measured[SMALL].latency_ms)]


def test_what_was_half_written_is_measured_again(measured, digits):
    architecture = architecture_of(SMALL, digits)
    file = cache_file(architecture, "run")
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    assert read_cost(architecture, "run") is None
    file.write_text(whole)
    assert read_cost(architecture, "run") == measured[SMALL]


def test_every_hyperparameter_shapes_the_network_or_its_training():
    shaping = {field for model in MODELS for field in shaping_fields(model)}
    assert set(TrialConfig.model_fields) == shaping | TRAINING, "say where a new hyperparameter belongs"
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


def test_a_measurement_in_the_background_is_given_up_at_the_end(digits):
    with closing(ConstraintChecker(make_spec(name="x", max_latency_ms=5.0), digits)) as gate:
        assert not gate.ready(TrialConfig(width=28))
        process = gate._client._start()
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert process.poll() is not None
    assert "any more" in gate.refusal(TrialConfig(width=28)) or "ended" in gate.refusal(TrialConfig(width=28))


def test_patience_ends_and_leaves_no_process(digits):
    meter = BenchmarkClient(patience=0.2)  # less than torch's import takes
    process = meter._start()
    started = time.monotonic()
    with pytest.raises(BenchmarkError, match=r"within 0\.2 s"):
        meter.measure(architecture_of(TrialConfig(width=24), digits), "count")
    assert time.monotonic() - started < 5
    assert process.poll() is not None


def test_a_shipped_model_that_breaks_a_limit_is_warned_of(measured, tmp_path, capsys, logged):
    shipment = made_shipment(measured[SMALL])
    print_shipment(make_spec(name="x", max_params=20_000), tmp_path, shipment)
    good = capsys.readouterr().out
    assert "13,202 parameters (limit 20,000)" in good
    assert not logged
    print_shipment(make_spec(name="x", max_params=20), tmp_path, shipment)
    assert logged == ["warning: the shipped model breaks a limit: 13,202 parameters is more than --max-params 20"]


def test_a_search_asks_for_nothing_that_does_not_fit(digits, tmp_path):
    spec = make_spec(name="s", results=str(tmp_path), max_params=60_000, trials=12)
    task = Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)
    study = create_study(spec, optuna.samplers.RandomSampler(seed=0))
    with closing(ConstraintChecker(spec, digits)) as gate:
        suggester = ConfigSuggester(study, default_space, task, spec, gate)
        while not suggester.is_done:
            suggester.next_trial()
    refused = [trial for trial in study.trials if is_refused(trial)]
    asked = [trial for trial in study.trials if not is_refused(trial)]
    assert len(asked) == 12
    assert refused
    assert all(read_trial_cost(trial).parameters <= 60_000 for trial in asked)
    assert all(read_trial_cost(trial).parameters > 60_000 for trial in refused)
    assert all(trial.user_attrs["reason"].endswith("is more than --max-params 60,000") for trial in refused)
