"""Forecasts against cases done by hand; what is timed, and what a page says of it."""

import random

import optuna
import pytest

from searchspace.finals.baseline import TRIAL_ORIGIN
from searchspace.forecast.dry_run_table import format_estimates, format_failures, format_warnings, to_rows
from searchspace.forecast.forecast import Forecast, ForecastInputs, format_duration, make_forecast
from searchspace.forecast.known_times import DEFAULT_CLOSING, ClosingTimes, read_closing_times, write_closing_times
from searchspace.forecast.live_forecast import LiveForecast, format_forecast_error, phase_seconds
from searchspace.forecast.probing import (
    MAX_PROBES,
    Measurements,
    draw_probes,
    read_measurements,
    write_measurements,
)
from searchspace.forecast.simulation import TrialCosts, simulate_finals, simulate_search
from searchspace.forecast.trial_timing import family_name, make_timing
from searchspace.preparation.first_trials import default_trials, first_trials
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from searchspace.study.trial_attributes import record_config, record_report
from trainables.config import EpochReport, TrialConfig
from trainables.training.timing import Timing
from trainables.workers.gang_resources import GangResources

SHAPE = GangResources(slots=2, workers=1, cpus=1, gpus=0)


def timing(model: str = "convnet", epoch: float = 1.0, **changes) -> Timing:
    values = {"steps": 10, "step_seconds": 0.08 * epoch, "evaluation_seconds": 0.2 * epoch} | changes
    return Timing(config=TrialConfig(model=model), **values)


def measured(*timings: Timing, start: float = 10.0) -> Measurements:
    families = {family_name(t.config) for t in timings}
    return Measurements(timings=timings, shares=dict.fromkeys(families, 1 / len(families)), start=start)


def spec_of(**options):
    return make_spec(name="x", **({"trials": 20, "scheduler": "none", "max_epochs": 5} | options))


def known(slots: int = 1, **changes) -> ForecastInputs:
    return ForecastInputs(**({"basis": "a dry run", "slots": slots, "growth": 1.25, "start": 10.0} | changes))


def foreseen(spec, *timings: Timing, **changes) -> Forecast:
    return make_forecast(measured(*timings).costs, spec, known(**changes))


def test_without_stopping_it_is_trials_times_epochs():
    found = foreseen(spec_of(), timing(setup_seconds=0.5))
    assert found.epochs == 100
    assert found.search == pytest.approx(10 + 20 * (0.5 + 5))
    assert found.search_low == pytest.approx(found.search_high)
    assert found.finals == pytest.approx(4 * 3 * (0.5 + 5) + 0.5 + 5 * 0.8 * 1.25), (
        "finalists and what they are compared with, then the winner, unscored"
    )
    assert found.total == pytest.approx(found.search + found.finals)


def test_slots_divide_the_time():
    costs = [timing(), timing("resnet", 3.0)]
    taken = [foreseen(spec_of(scheduler="asha", max_epochs=18), *costs, slots=slots).search for slots in (1, 2, 4, 8)]
    assert taken == sorted(taken, reverse=True)
    assert foreseen(spec_of(), timing(), slots=4).search == pytest.approx(10 + 20 / 4 * 5)


def test_early_stopping_and_slow_learning_train_less():
    full = foreseen(spec_of(max_epochs=18, trials=64), timing())
    stopped = foreseen(spec_of(max_epochs=18, trials=64, scheduler="asha"), timing())
    unlearning = foreseen(spec_of(max_epochs=18, trials=64, scheduler="asha", sampler="random"), timing())
    assert full.epochs == 64 * 18
    # 64 trials come to epoch 2, at least a third of them to 6, and a third of those to 18.
    assert 64 * 2 + 21 * 4 + 7 * 12 <= unlearning.epochs < stopped.epochs < full.epochs


def test_an_audit_trains_more():
    spec = {"scheduler": "asha", "max_epochs": 18, "trials": 64}
    assert foreseen(spec_of(**spec, audit=1.0), timing()).epochs == 64 * 18
    assert foreseen(spec_of(**spec, audit=0.5), timing()).search > foreseen(spec_of(**spec), timing()).search


def test_a_time_budget_ends_the_search_and_not_the_finals():
    free, cut = (foreseen(spec_of(time_budget=budget), timing()) for budget in (0.0, 40.0))
    assert cut.search == pytest.approx(10 + 40)
    assert cut.epochs == pytest.approx(40)
    assert cut.finals == free.finals


def test_many_trials_are_scaled():
    assert foreseen(spec_of(trials=4000), timing()).search == pytest.approx(10 + 4000 * 5)


def test_features_are_computed_once():
    plain = foreseen(spec_of(), timing("tf_efficientnet_lite0"))
    once = foreseen(spec_of(), timing("tf_efficientnet_lite0", once_seconds=30.0))
    assert once.search - plain.search == pytest.approx(30)


def test_what_only_the_first_trial_of_a_worker_imports_is_not_counted_for_all():
    first = timing(setup_seconds=4.0)
    others = [timing(setup_seconds=0.1)] * 4
    assert foreseen(spec_of(), first, *others).search == pytest.approx(10 + 4.0 + 19 * 0.1 + 20 * 5)


def test_the_range_holds_what_is_not_known_and_narrows_when_it_is():
    costs = [timing(epoch=1.0), timing("resnet", 10.0)]
    spec = spec_of(trials=40, scheduler="asha", max_epochs=18)
    either, cheap = foreseen(spec, *costs), foreseen(spec, costs[0])
    assert cheap.search < either.search_low < either.search < either.search_high
    assert cheap.search_high - cheap.search_low < either.search_high - either.search_low
    assert either.total_if["convnet"] * 2 < either.total < either.total_if["resnet"]
    assert either.total_low < either.total < either.total_high
    assert foreseen(spec, *costs) == either, "the same seed, the same forecast"


def test_simulated_searches_train_every_model_and_favour_one():
    shares = {"convnet": 0.5, "resnet": 0.5}
    costs = TrialCosts({"convnet": [timing(epoch=1.0)], "resnet": [timing("resnet", 100.0)]}, shares)
    taken = [simulate_search(costs, spec_of(trials=100), 1, name, random.Random(0)).seconds for name in shares]
    assert taken[0] > 5 * 500, "both are in the random start"
    assert taken[0] * 3 < taken[1]
    assert simulate_finals(costs, spec_of(), 3, "resnet", 1.0)[0] == pytest.approx(4 * 500)
    alone = simulate_finals(costs, spec_of(), 3, "resnet", 1.0)[1]
    taught = spec_of(distil=True, distil_epochs=2 * spec_of().max_epochs, max_params=1)
    assert simulate_finals(costs, taught, 3, "resnet", 1.0)[1] == pytest.approx(3 * alone, rel=0.05)


def test_what_cannot_run_is_named_and_counts_for_nothing():
    dead = Timing(config=TrialConfig(model="resnet", width=1024), reason="out of memory")
    halved = timing(micro_batch=16)
    found = measured(timing(), halved, dead)
    assert list(found.costs.by_family) == ["convnet"]
    assert format_failures(found) == [
        "runs out of memory: convnet; trained 16 images at a time instead",
        "cannot run: resnet, width=1024: out of memory",
    ]
    rows = {row["model"]: row for row in to_rows(found)}
    assert (rows["resnet"]["timed"], rows["resnet"]["cannot run"]) == (0, 1)
    assert (rows["convnet"]["timed"], rows["convnet"]["median epoch"]) == (2, "1 s")


def test_the_page_says_time_memory_disk_and_money():
    found = measured(timing(memory_mb=700, checkpoint_mb=2, parameters=1_000_000), timing(memory_mb=900))
    spec = spec_of()
    whole = make_forecast(found.costs, spec, known(2, closing=6.0))
    time, memory, disk, money = format_estimates(whole, found, spec, SHAPE, price=7200.0)
    assert time.startswith(f"time    {format_duration(whole.total)} (")
    assert "some 100 epochs" in time
    assert memory == "memory  900 MB a worker at most, 1.8 GB for 2 of them"
    assert "winner 16 MB" in disk
    (_, _, capped, _) = format_estimates(
        whole.model_copy(update={"checkpoints_mb": 5e5}), found, spec_of(keep_gb=3), SHAPE, price=1.0
    )
    assert "checkpoints 3.0 GB" in capped, "stopped trials keep no more than they may"
    assert money.startswith(f"money   {2 * whole.total:,.2f} (")
    assert len(format_estimates(whole, found, spec, SHAPE, price=0.0)) == 3, "no price, no money"


def test_what_will_not_go_well_is_said():
    found = measured(timing(memory_mb=900))
    spec = spec_of(time_budget=20.0)
    lines = format_warnings(make_forecast(found.costs, spec, known()), found, spec, SHAPE, free_mb=1000)
    assert len(lines) == 2
    assert "1.0 GB are free" in lines[0]
    assert "--time-budget 20s: ends the search before its 20 trials are done" in lines[1]
    fine = spec_of()
    assert format_warnings(make_forecast(found.costs, fine, known()), found, fine, SHAPE, free_mb=9000) == []


@pytest.mark.parametrize(("seconds", "words"), [(3.2, "3 s"), (59, "59 s"), (90, "1.5 min"), (5400, "1.5 h")])
def test_seconds_in_words(seconds, words):
    assert format_duration(seconds) == words


def allow(_config: TrialConfig) -> str:
    return ""


@pytest.fixture
def task(digits) -> Task:
    models = ("convnet", "tf_efficientnet_lite0")
    return Task(data=digits, models=models, pretrained=frozenset(models[1:]), gpu=False)


def test_each_model_is_timed_at_its_default_and_at_random(task):
    starts = first_trials(default_space, task, {})
    probes = draw_probes(default_space, task, spec_of(), starts, allow)
    assert {model: len(configs) for model, configs in probes.by_model.items()} == {
        "convnet": MAX_PROBES, "tf_efficientnet_lite0": MAX_PROBES,
    }  # fmt: skip
    probe, tuned, scratch = (TrialConfig(**start) for start in starts)
    assert probes.by_model["convnet"][0] == scratch
    assert probes.by_model["tf_efficientnet_lite0"][:2] == (probe, tuned.model_copy(update={"head_init": "probe"}))
    assert all(len(set(configs)) == len(configs) for configs in probes.by_model.values()), "none twice"
    assert sum(probes.shares.values()) == pytest.approx(1)
    assert probes == draw_probes(default_space, task, spec_of(), starts, allow), (
        "the same seed, the same configurations"
    )


def test_what_a_limit_forbids_is_not_timed_and_is_named(task):
    def refusal(config: TrialConfig) -> str:
        return "too deep" if config.model == "convnet" and config.depth > 2 else ""

    starts = default_trials(task, {})
    probes = draw_probes(default_space, task, spec_of(), starts, refusal)
    assert {config.depth for config in probes.by_model["convnet"]} == {2}
    assert {found.reason for found in probes.refused} == {"too deep"}
    assert len(probes.refused) + len(probes.by_model["convnet"]) == MAX_PROBES


def test_a_space_of_ones_own_is_drawn_from_at_random(task):
    def space(trial, task):
        dropout = trial.suggest_float("dropout", 0, 0.9)
        return {"model": task.models[dropout > 0.8], "dropout": dropout}

    probes = draw_probes(space, task, spec_of(), [], allow)
    assert probes.shares["convnet"] > 0.8
    assert len(probes.by_model["tf_efficientnet_lite0"]) >= 4


def test_a_dry_run_is_known_to_searches_like_it_only(task, tmp_path):
    found = measured(timing())
    write_measurements(found, spec_of(seed=5), task, SHAPE)
    assert read_measurements(spec_of(trials=99), task, SHAPE) == found
    assert read_measurements(spec_of(pins={"width": 8}), task, SHAPE) is None
    assert read_measurements(spec_of(), task, SHAPE.model_copy(update={"slots": 4})) is None
    assert read_measurements(spec_of(), task.model_copy(update={"models": ("convnet",)}), SHAPE) is None


def test_how_long_an_export_took_is_known_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path))
    assert read_closing_times("convnet") == DEFAULT_CLOSING
    short, long = (ClosingTimes(test_image_seconds=s / 100, export=s, report=1.0) for s in (4.0, 8.0))
    write_closing_times("convnet", short)
    write_closing_times("resnet", long)
    assert read_closing_times("convnet") == short
    assert read_closing_times().total(images=100) == pytest.approx(6.0 + 6.0 + 1.0)


def report(number: int, epoch: int, **changes) -> EpochReport:
    values = {"seconds": 1.0, "images_per_second": 2000.0, "wait_seconds": 0.5, "score": number / 100} | changes
    return EpochReport(trial=f"trial-{number}", epoch=epoch, **values)


def test_a_trials_own_epochs_say_what_it_costs(digits):
    curve = [report(1, 1), report(1, 2, seconds=1.2), report(1, 3, wait_seconds=0.0)]
    found = make_timing(TrialConfig(batch_size=64), curve, digits)
    assert found.steps == -(-digits.train // 64)
    assert found.training_seconds == pytest.approx(digits.train / 2000)
    assert found.epoch_seconds == pytest.approx(1.0)
    assert found.setup_seconds == 0.5


class Search:
    """A study, and the forecast that listens to it."""

    def __init__(self, task, tmp_path, **options) -> None:
        self.study = optuna.create_study()
        self.spec = make_spec(name="s", results=str(tmp_path), **({"trials": 16, "grace_epochs": 2} | options))
        self.live = LiveForecast(self.spec, task, SHAPE, self.study, ConsoleReporter())
        self.trials: dict[int, optuna.Trial] = {}

    def begin(self, number: int, config: TrialConfig) -> None:
        """Begin a trial."""
        self.trials[number] = self.study.ask()
        record_config(self.trials[number], config, seed=0)

    def tell(self, number: int, epoch: int, **values) -> None:
        """Report an epoch, as the engine does; a complete trial ends with it."""
        told = report(number, epoch, **values)
        record_report(self.trials[number], epoch, told)
        self.live("epoch", number, told)
        if told.status == "complete":
            self.study.tell(self.trials[number], told.score)
        if self.live._thread is not None:
            self.live._thread.join()


def test_a_search_is_forecast_again_when_a_family_is_new_or_twice_as_many_trials_are_known(task, tmp_path, caplog):
    caplog.set_level("INFO")
    search = Search(task, tmp_path)
    for slot in range(SHAPE.slots):
        search.live.on_gang_ready(slot, None)
    for number in range(3):
        assert not search.live.forecasts, "not yet"
        search.begin(number, TrialConfig(width=8 + number))
        search.tell(number, 1)
        search.tell(number, 2)
    (first,) = search.live.forecasts
    assert first.basis == "the first 3 trials"
    search.begin(3, TrialConfig(model="tf_efficientnet_lite0"))
    search.tell(3, 1, seconds=400.0, images_per_second=10.0)
    assert len(search.live.forecasts) == 1, "it has not come to its first rung"
    search.tell(3, 2, seconds=400.0, images_per_second=10.0)
    assert search.live.forecasts[1].total > 2 * first.total, "a new family costs much more"
    assert caplog.text.count("forecast: about") == 2
    assert search.live.remaining_seconds() == pytest.approx(search.live.forecasts[1].total, rel=0.01)


def test_closed_form_heads_come_all_before_the_first_forecast(task, tmp_path):
    search = Search(task, tmp_path)
    for _ in range(4):
        search.study.enqueue_trial({}, user_attrs={TRIAL_ORIGIN: "probe"})
    for number in range(4):
        search.begin(number, TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs"))
        assert not search.live.forecasts
        shared = 0.0 if number else 2.0
        search.tell(number, 18, status="complete", setup_seconds=0.5 + shared, shared_seconds=shared)
    (found,) = search.live.forecasts
    assert found.search == pytest.approx(12 / SHAPE.slots * (1.5 + 2.0 / 4), rel=0.1), "one of four pays"


def test_a_search_with_a_time_budget_says_how_many_trials_fit(task, tmp_path, caplog):
    caplog.set_level("INFO")
    search = Search(task, tmp_path, trials=1000, time_budget=60.0, scheduler="none", max_epochs=5)
    search.live.on_gang_ready(0, None)
    for number in range(3):
        search.begin(number, TrialConfig())
        for epoch in range(1, 6):
            search.tell(number, epoch, wait_seconds=0.0, status="complete" if epoch == 5 else "running")
    (found,) = search.live.forecasts
    assert found.trials == pytest.approx(3 + SHAPE.slots * 60 / 5, abs=3)
    assert f"forecast: about {found.trials} trials by " in caplog.text


def test_the_error_of_a_forecast_is_said():
    found = foreseen(spec_of(), timing())
    line = format_forecast_error(found, search=found.search * 1.25, total=found.total)
    assert line.startswith("forecast from a dry run: search 1.8 min, took 2.3 min (-20%)")
    assert "(+0%)" in line


def test_the_time_of_a_command_is_given_by_phase():
    ends = {"preparation": 12.0, "search": 100.0, "finals": 150.0, "winner": 140.0, "test": 160.0, "total": 170.0}
    assert phase_seconds(ends) == {"preparation": 12, "search": 88, "finals": 50, "winner": 0, "test": 10}
