"""Architectures measured by the benchmark process."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import optuna
import pytest
import torch
from torch.nn import functional

from searchspace.constraints.constraints import (
    ConstraintChecker,
    describe_cost,
    find_violations,
)
from searchspace.constraints.feasibility import check_feasible
from searchspace.engine.suggest import ConfigSuggester
from searchspace.export import print_shipment
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from searchspace.study.refusals import is_refused
from searchspace.study.study import create_study
from searchspace.study.trial_attributes import read_trial_cost
from tests.helpers.made_search import made_shipment
from tests.helpers.measured_costs import SMALL, WIDE
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_benchmark import count_parameters, measure_file
from trainables.export.benchmark.architecture_cost import (
    BenchmarkError,
    architecture_of,
    cache_file,
    read_cost,
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
    "freeze": "all", "head_solver": "lbfgs", "head_init": "probe", "input_size": 16, "optimizer": "sgd",
    "momentum": 0.5, "flip": "random", "tta": True, "batch_size": 128, "balance": "loss", "fit": "pad",
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
    for field in set(TrialConfig.model_fields) - {"model", "custom"}:
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

    with pytest.raises(UserError, match=r"smallest of 256 draws is convnet, width=8, .*more than --max-params 10$"):
        check(max_params=10)
    assert check() == []
    assert check(max_params=10**8) == [], "what the search begins with fits"
    assert len(check(max_params=20_000)) == 1, "only smaller ones fit"


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
