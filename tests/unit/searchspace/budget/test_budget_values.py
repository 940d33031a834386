"""A budget as it is written, and the seconds that it is on a cluster."""

import time

import pytest

from searchspace.budget.budget import Budget
from searchspace.budget.presets import MAX_COUNT, PRESETS
from searchspace.cli.command_start import command_of_process, command_start, process_seconds
from searchspace.spec import SearchSpec, make_spec
from trainables.common.errors import UserError

WRITTEN = {
    "10m": ("seconds", 600.0), "90s": ("seconds", 90.0), "1h30m": ("seconds", 5400.0), "$20": ("dollars", 20.0),
    "$ 2.5": ("dollars", 2.5), "8gpuh": ("GPU-hours", 8.0), "8 gpu-hours": ("GPU-hours", 8.0),
    "0.5 GPU-hours": ("GPU-hours", 0.5), "1 gpu-hour": ("GPU-hours", 1.0),
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_budgets_are_read_and_recorded(text):
    spec = make_spec(name="x", budget=text)
    assert (spec.budget.unit, spec.budget.amount) == WRITTEN[text]
    assert SearchSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert make_spec(name="x", budget=spec.budget.describe()).budget == spec.budget


@pytest.mark.parametrize("text", ["10", "$", "20$", "gpuh", "-3m", "0s", "$0", "0gpuh", "soon", "3 weeks", "nan"])
def test_wrong_budgets(text):
    with pytest.raises(UserError, match="--budget"):
        make_spec(name="x", budget=text)


def test_money_and_gpu_hours_are_time_on_a_cluster():
    assert Budget(amount=90).seconds(0) == 90
    assert Budget(amount=8, unit="GPU-hours").seconds(4) == 7200
    assert Budget(amount=20, unit="dollars", price_per_hour=10).seconds(0) == 7200


def test_a_record_of_an_earlier_version_has_no_budget():
    record = make_spec(name="x").model_dump(mode="json")
    del record["budget"], record["preset"]
    spec = SearchSpec.model_validate(record)
    assert (spec.budget, spec.preset, spec.trials) == (None, "balanced", 64)


def test_a_budget_lifts_the_number_of_trials_unless_that_is_given():
    assert make_spec(name="x").trials == 64
    assert make_spec(name="x", budget="10m").trials == MAX_COUNT
    assert make_spec(name="x", budget="10m", trials=5).trials == 5
    assert make_spec(name="x", budget="10m").format_count(3) == "3"
    assert make_spec(name="x").format_count(3) == "3/64"


def test_a_preset_says_what_is_not_given():
    for name, preset in PRESETS.items():
        spec = make_spec(name="x", preset=name)
        assert (spec.trials, spec.finalists, spec.final_seeds) == (
            preset.trials, preset.finalists, preset.final_seeds,
        )  # fmt: skip
        assert make_spec(name="x", preset=name, finalists=2, trials=7).finalists == 2
        assert sum(preset.shares.values()) == pytest.approx(1.0)


def test_a_command_counts_from_its_process_and_a_program_from_its_call():
    assert 0.0 < process_seconds() < 86400.0
    before = time.monotonic()
    assert command_start() >= before
    with command_of_process():
        assert command_start() < before
    assert command_start() >= before
