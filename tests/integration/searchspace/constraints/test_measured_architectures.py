"""Architectures measured by the benchmark process."""

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest
import torch
from torch.nn import functional

from searchspace.constraints.constraints import (
    ConstraintChecker,
    describe_cost,
    find_violations,
)
from searchspace.constraints.feasibility import check_feasible
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from tests.helpers.measured_costs import SMALL, WIDE
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_benchmark import count_parameters, measure_file
from trainables.export.benchmark.architecture_cost import (
    BenchmarkError,
    architecture_of,
    shaping_fields,
)
from trainables.export.benchmark.benchmark_client import BenchmarkClient
from trainables.export.formats.onnx_format import export_onnx
from trainables.export.model_info import ModelInfo
from trainables.models.build_model import build_model, build_untrained
from trainables.models.model_registry import MODELS
from trainables.models.whitening import fit_whitening

OTHERS = {
    "width": 8, "depth": 3, "activation": "silu", "batch_norm": False, "whiten": False, "dropout": 0.5,
    "freeze": "all", "input_size": 16, "optimizer": "sgd", "momentum": 0.5, "flip": "random",
    "tta": True, "batch_size": 128, "balance": "loss",
}  # fmt: skip
"""Another value than the default, of fields that are neither counts nor numbers below 1."""


def briefly_trained(config, store):
    """A network whose every tensor a few real steps have moved."""
    model = build_model(config, store.summary)
    fit_whitening(model, store)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for start in range(0, 320, 64):
        rows = store.rows("train")[start : start + 64]
        logits = model(torch.from_numpy(store.images[rows]))
        functional.cross_entropy(logits, torch.from_numpy(store.labels[rows]).long()).backward()
        optimizer.step()
    return model.eval()


def test_a_measurement_is_of_the_shipped_network(measured, digits, digits_store, tmp_path):
    for config, cost in measured.items():
        model = briefly_trained(config, digits_store)
        assert cost.parameters == sum(p.numel() for p in model.parameters())
        card = ModelInfo(config=config, seed=0, epochs=0, data=digits, input=model.preprocess.spec)
        export_onnx(model, card, tmp_path / "model.onnx")
        assert cost.size_mb == pytest.approx((tmp_path / "model.onnx").stat().st_size / 1e6, abs=0.002)
        shape = digits.channels, digits.height, digits.width
        again = measure_file(tmp_path / "model.onnx", shape, count_parameters(model))
        assert 0.2 < again.latency_ms / cost.latency_ms < 5, "of the same network, on a machine that others use too"
        assert cost.runs >= 9


def other_value(field):
    if field in OTHERS:
        return OTHERS[field]
    default = TrialConfig.model_fields[field].default
    return default + 1 if isinstance(default, int) else default / 2 or 0.1


@pytest.mark.parametrize("model", [*MODELS, "resnet18"])
def test_what_is_said_to_shape_a_network_does_and_nothing_else(digits, model):
    def built(config):
        with torch.device("meta"):
            network = build_untrained(config, digits).eval().network
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        shown = str(network).replace("Whitening(", "Conv2d(").replace("p=0.5", "p=0.0")
        return shapes, shown, network.mirrored, count_parameters(network)

    def spec(config):
        with torch.device("meta"):
            return build_untrained(config, digits).preprocess.spec

    plain = TrialConfig(model=model)
    for field in set(TrialConfig.model_fields) - {"model"}:
        other = TrialConfig(model=model, **{field: other_value(field)})
        assert other != plain
        alike = built(other) == built(plain) and spec(other) == spec(plain)
        same_key = architecture_of(other, digits) == architecture_of(plain, digits)
        assert alike == same_key == (field not in shaping_fields(model)), field


def test_backbones_are_measured_without_their_weights(digits):
    meter = BenchmarkClient()
    cost = meter.measure(architecture_of(TrialConfig(model="resnet18"), digits), "count")
    meter.close()
    assert cost.parameters == sum(
        p.numel() for p in build_untrained(TrialConfig(model="resnet18"), digits).parameters()
    )
    assert cost.latency_ms is None


def test_refusals_say_what_is_too_much(measured, digits):
    spec = make_spec(name="x", max_latency_ms=0.001, max_params=100_000, max_size_mb=0.5, max_memory_mb=10_000.0)
    small, wide = measured[SMALL], measured[WIDE]
    assert find_violations(spec, small) == [f"latency {small.latency_ms:.4g} ms is more than --max-latency-ms 0.001"]
    assert [reason.split(" is more than ")[1] for reason in find_violations(spec, wide)] == [
        "--max-params 100,000", "--max-size-mb 0.5", "--max-latency-ms 0.001",
    ]  # fmt: skip
    assert describe_cost(spec, small).startswith(f"{small.parameters:,} parameters (limit 100,000), size ")
    with closing(ConstraintChecker(spec, digits)) as gate:
        assert gate.refusal(WIDE) == f"{wide.parameters:,} parameters is more than --max-params 100,000"
        assert gate.cost(WIDE).latency_ms is None, "what has too many parameters need not be run"
        assert "--max-latency-ms" in gate.refusal(SMALL)
        assert gate.cost(SMALL) == small
    with closing(ConstraintChecker(make_spec(name="x", max_latency_ms=1000.0), digits)) as gate:
        assert gate.refusal(SMALL) == ""
        assert gate.ready(SMALL)


def test_a_network_that_cannot_be_built_is_refused_with_its_reason(digits):
    with closing(ConstraintChecker(make_spec(name="x", max_params=10**9), digits)) as gate:
        reason = gate.refusal(TrialConfig(model="no_such_network"))
        assert "cannot be measured" in reason
        assert "no_such_network" in reason
        assert gate.cost(TrialConfig(model="no_such_network")) is None
        assert gate.refusal(SMALL) == "", "and the next one is measured"


def test_a_process_that_dies_is_an_outcome_and_the_next_one_starts(digits):
    meter = BenchmarkClient()
    process = meter._start()
    os.kill(process.pid, signal.SIGSTOP)  # so that it dies while it is asked
    question = architecture_of(TrialConfig(width=12), digits)
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({process.pid}, 9)"])
    with pytest.raises(BenchmarkError, match="ended with code -9"):
        meter.measure(question, "count")
    killer.wait()
    assert meter.measure(question, "count").parameters > 0
    meter.close()
    with pytest.raises(BenchmarkError, match="any more"):
        meter.measure(architecture_of(TrialConfig(width=20), digits), "count")


def test_limits_that_nothing_meets_are_told_before_the_search(digits, logged):
    task = Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)

    def check(**options):
        spec = make_spec(name="x", **options)
        with closing(ConstraintChecker(spec, digits)) as gate:
            logged.clear()
            check_feasible(gate, spec, default_space, task)
        return list(logged)

    with pytest.raises(UserError, match=r"smallest of 64 draws is convnet, width=8, .*more than --max-params 10$"):
        check(max_params=10)
    assert check() == []
    assert check(max_params=10**8) == [], "what the search begins with fits"
    assert len(check(max_params=20_000)) == 1, "only smaller ones fit"
