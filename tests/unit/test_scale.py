"""The model of a search on thousands of GPUs: it loses nothing, repeats itself, and agrees with calculation."""

import numpy as np
import pytest

from tests.helpers.scale.clock import Clock, Machine
from tests.helpers.scale.costs import Costs, at
from tests.helpers.scale.model import Search, Setting, simulate

COSTS = Costs(
    suggest={8: 0.007, 256: 0.037}, hear={8: 1e-4, 256: 5e-4}, end={8: 1e-4, 256: 2e-3}, wait={8: 1e-4, 2048: 1e-3},
    result=1e-3, go=6e-3, letter={1: 2e-5}, call=5e-4, relay=2e-3, reset=5e-3, actor_start=1.5, controller_start=2.0,
    gang_start=6.0, keep=0.01, thread=1e-6, slot_mb=160.0, base_mb=1200.0, trial_mb=0.08,
)  # fmt: skip
FREE = COSTS.model_copy(
    update={name: {1: 1e-12} for name in ("suggest", "hear", "end", "wait", "letter")}
    | dict.fromkeys(("result", "go", "call", "relay", "reset", "actor_start", "controller_start", "gang_start"), 0.0)
    | dict.fromkeys(("keep", "thread"), 0.0)
)


@pytest.mark.parametrize("seconds", [0.5, 10.0])
@pytest.mark.parametrize("pending", [0, 1])
def test_every_trial_begins_once_and_no_epoch_is_lost_or_heard_twice(seconds, pending):
    search = Search(Setting(slots=40, trials=130, epoch_seconds=seconds, pending=pending), COSTS)
    outcome = search.run()
    assert outcome.trials == len(search.trials) == 130
    assert [trial.number for trial in search.trials] == list(range(130))
    assert outcome.epochs == sum(trial.epoch for trial in search.trials)
    assert {trial.epoch for trial in search.trials} == {2, 6, 18}, "every trial ends at a rung or at full length"
    assert outcome.complete == sum(trial.epoch == 18 for trial in search.trials) > 0
    assert search.training == search.pending == 0
    assert not search.starting


def test_the_same_seed_gives_the_same_search_and_another_one_another():
    setting = Setting(slots=20, trials=60, epoch_seconds=5.0)
    assert simulate(setting, COSTS) == simulate(setting, COSTS)
    assert simulate(setting, COSTS) != simulate(setting.model_copy(update={"seed": 1}), COSTS)


def test_a_driver_that_costs_nothing_keeps_every_gpu_busy_while_there_are_trials():
    outcome = simulate(Setting(slots=30, trials=200, epoch_seconds=10.0), FREE)
    assert outcome.steady == pytest.approx(1.0)
    assert outcome.decision_p95 == pytest.approx(0.0, abs=1e-6)
    assert outcome.all_filled == pytest.approx(0.0, abs=1e-6)


def test_utilisation_falls_as_decisions_cost_more():
    setting = Setting(slots=60, trials=240, epoch_seconds=10.0)
    found = [simulate(setting, COSTS.model_copy(update={"result": cost})) for cost in (1e-3, 0.1, 0.4)]
    assert found[0].steady > found[1].steady > found[2].steady
    assert found[0].loop < found[1].loop < found[2].loop <= 1.0
    assert found[0].decision_p95 < found[1].decision_p95 < found[2].decision_p95


def test_a_saturated_loop_hears_as_many_epochs_as_its_cost_allows():
    costs = FREE.model_copy(update={"result": 0.05})
    outcome = simulate(Setting(slots=50, trials=400, epoch_seconds=0.1, grace_epochs=0, max_epochs=4), costs)
    assert outcome.epochs_per_second == pytest.approx(1 / 0.05, rel=0.02)
    assert outcome.loop == pytest.approx(1.0, abs=0.01)


def test_an_idle_loops_share_is_what_its_epochs_cost():
    costs = FREE.model_copy(update={"result": 0.01})
    outcome = simulate(Setting(slots=20, trials=400, epoch_seconds=10.0, grace_epochs=0), costs)
    assert outcome.loop == pytest.approx(outcome.epochs_per_second * 0.01, rel=0.05)
    assert outcome.epochs_per_second == pytest.approx(20 / 10.0, rel=0.2)


def test_one_start_at_a_time_never_fills_slots_whose_trials_are_as_short():
    """Tune gives up a start whenever a trial ends: 2 epochs of 2 s leave time for few starts of 1.5 s."""
    setting = Setting(slots=64, trials=256, epoch_seconds=2.0)
    one, all_ = simulate(setting.model_copy(update={"pending": 1}), COSTS), simulate(setting, COSTS)
    assert one.all_filled is None
    assert one.steady < 0.3
    assert all_.steady > 0.9


def test_many_gangs_start_as_fast_as_the_head_has_cores():
    costs = FREE.model_copy(update={"controller_start": 2.0, "gang_start": 6.0})
    outcome = simulate(Setting(slots=256, trials=256, epoch_seconds=60.0, cores=16), costs)
    assert outcome.all_warm == pytest.approx(256 * 2.0 / 16 + 6.0, rel=0.1)


def test_a_thread_serves_random_arrivals_as_queueing_theory_says():
    """M/D/1: the mean wait is rho / (2 (1 - rho)) services."""
    clock, rng = Clock(), np.random.default_rng(0)
    machine = Machine(clock, 4, ("one",))
    service, rho, waits = 1.0, 0.7, []

    def arrive(left: int) -> None:
        asked = clock.now
        machine.ask("one", service, lambda: waits.append(clock.now - asked - service))
        if left:
            clock.after(float(rng.exponential(service / rho)), lambda: arrive(left - 1))

    arrive(40_000)
    clock.run()
    assert len(waits) == 40_001
    assert np.mean(waits) == pytest.approx(rho / (2 * (1 - rho)), rel=0.1)
    assert machine.busy["one"] == pytest.approx(40_001 * service)


def test_threads_and_processes_share_the_cores():
    clock, ended = Clock(), []
    machine = Machine(clock, 2, ("one", "two"))
    for name in ("one", "one", "two", "", ""):
        machine.ask(name, 1.0, lambda name=name: ended.append((clock.now, name)))
    clock.run()
    assert clock.now == 3.0, "five seconds of work on two cores"
    assert [time for time, name in ended if name == "one"] != [1.0, 1.0], "one thread does one thing after another"


def test_a_cost_between_measured_sizes_and_beyond_them():
    points = {10: 1.0, 100: 10.0, 1000: 10.0}
    assert at(points, 1) == 1.0
    assert at(points, 50) == pytest.approx(5.0)
    assert at(points, 500) == pytest.approx(10.0)
    assert at({10: 1.0, 100: 10.0}, 1000) == pytest.approx(100.0)
    assert at({10: 2.0}, 500) == 2.0
