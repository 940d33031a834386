"""What is left of a running search, against cases done by hand."""

import random
from statistics import fmean

import pytest

from searchspace.families.beliefs import Belief
from searchspace.families.family import Family
from searchspace.families.outlook import Outlook
from searchspace.forecast.forecast import Forecast
from searchspace.forecast.known_times import DEFAULT_CLOSING
from searchspace.forecast.rest_of_search import PASS_TRIALS, KnownTrial, draw_rest, make_draws
from searchspace.forecast.running_search import Moment, RankedTrial, forecast_rest, planned_shares
from searchspace.spec import make_spec
from trainables.config import TrialConfig
from trainables.training.timing import Timing

PROBE = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs")


def known(family: str = "convnet", epoch_seconds: float = 1.0, epoch: int = 5, running: bool = False, **more):
    config = PROBE if family == "probe" else TrialConfig(model=family)
    timing = Timing(config=config, steps=10, step_seconds=epoch_seconds / 10, **more)
    return KnownTrial(timing, family, epoch, running)


def spec_of(**options):
    return make_spec(name="x", **({"trials": 10, "scheduler": "none", "max_epochs": 5} | options))


def rest_of(trials, spec, slots=1, weights=None, **more):
    draws = make_draws(trials, weights or {}, spec)
    return draw_rest(trials, draws, spec, slots, random.Random(0), **more)


def test_without_stopping_it_is_what_the_trials_left_cost():
    found = rest_of([known(setup_seconds=0.5)] * 4, spec_of())
    assert (found.seconds, found.epochs, found.trials) == (pytest.approx(6 * 5.5), 30, 6)
    assert rest_of([known()] * 4, spec_of(), slots=2).seconds == pytest.approx(3 * 5)
    assert rest_of([known()] * 10, spec_of()).seconds == 0


def test_of_very_many_trials_few_are_drawn():
    endless = spec_of(trials=1_000_000)
    assert rest_of([known()] * 10, endless).seconds == pytest.approx(999_990 * 5, rel=1e-3)
    assert rest_of([known()] * 10, endless, longest=60.0).trials == 12, "a budget ends them"
    quick = rest_of([known(epoch_seconds=0.001)] * 10, endless, longest=60.0)
    assert (quick.seconds, quick.trials) == (pytest.approx(60.0), pytest.approx(12_000, rel=1e-2))


def test_trials_that_run_go_on_from_where_they_are():
    running = [known(epoch=2, running=True), known(epoch=4, running=True)]
    assert rest_of(running, spec_of(trials=2), slots=2).seconds == pytest.approx(3)
    assert rest_of(running, spec_of(trials=3), slots=2).seconds == pytest.approx(1 + 5), "a free slot takes it"


def test_new_trials_are_of_the_families_that_are_tried_now():
    trials = [known(), known("resnet", 100.0)]
    cheap, dear = (rest_of(trials, spec_of(), weights={name: 1.0}).seconds for name in ("convnet", "resnet"))
    assert (cheap, dear) == (pytest.approx(8 * 5), pytest.approx(8 * 500))


def test_a_time_limit_ends_it_and_counts_what_fits():
    found = rest_of([known()], spec_of(trials=1000), longest=32.0)
    assert (found.seconds, found.trials, found.epochs) == (32.0, 6, 30)


def test_the_share_that_passes_a_rung_is_learnt_from_the_search():
    spec = spec_of(scheduler="asha", max_epochs=18, trials=64)
    stopped, passed = ([known(epoch=epoch)] * 40 for epoch in (2, 18))
    low, prior, high = (make_draws(trials, {}, spec).passing for trials in (stopped, [known(epoch=1)], passed))
    assert low < prior < high
    assert prior == pytest.approx(1.6 / 3)
    assert low == pytest.approx(prior * PASS_TRIALS / (PASS_TRIALS + 40))
    assert make_draws([known("probe", epoch=18)] * 40, {}, spec).passing == prior, "a closed-form head has no rungs"


def test_searches_that_learn_train_as_many_epochs_as_those_that_were_measured():
    spec = spec_of(scheduler="asha", max_epochs=18, trials=65)
    trials = [known(epoch=1)]
    draws = make_draws(trials, {}, spec)
    epochs = fmean(draw_rest(trials, draws, spec, 2, random.Random(seed), float("inf")).epochs for seed in range(40))
    assert 440 < epochs < 560, "64 trials on digits had 472 to 544"


def test_closed_form_heads_report_once_and_pay_for_features_of_their_own():
    first, others = known("probe", once_seconds=40.0, setup_seconds=1.0), [known("probe", setup_seconds=1.0)] * 3
    assert rest_of([first, *others], spec_of()).seconds == pytest.approx(6 * (2.0 + 10.0)), "one of four pays"


def test_other_trials_find_the_features_of_the_first():
    first, others = known("resnet", once_seconds=40.0), [known("resnet")] * 3
    assert rest_of([first, *others], spec_of()).seconds == pytest.approx(6 * 5)
    each = [known("resnet", once_seconds=40.0)] * 4
    assert rest_of(each, spec_of()).seconds == pytest.approx(6 * (5 + 30.0)), "three of four pay"


def test_what_follows_is_that_of_the_best_trials(digits):
    good = RankedTrial(known("probe", 2.0, 5), (True, 5, 0.9))
    slow = RankedTrial(known("convnet", 100.0, 5), (True, 5, 0.5))

    def foreseen(*trials) -> Forecast:
        moment = Moment(now=100.0, start=10.0, slots=2, weights={"probe": 1.0}, closing=DEFAULT_CLOSING)
        return forecast_rest(trials, spec_of(trials=3, finalists=2), digits, moment, random.Random(0))

    found = foreseen(good, good, slow)
    assert found.search == 100.0, "all trials have reported"
    assert found.total_low == pytest.approx(found.total) == found.total_high
    assert found.finals == pytest.approx(2 * 2.0 + 2.0 * digits.growth), "three heads, once each, then the winner"
    assert found.trials is None, "nothing limits it"


def outlook(name: str, improvement: float, seconds: float, spent: float = 0.0, left: float = float("inf")) -> Outlook:
    belief = Belief(0.0, 1.0, 1.0)
    return Outlook(Family(name, "scratch"), belief, seconds, improvement, spent=spent, left=left)


def test_next_trials_are_planned_by_what_families_earn_a_second_as_the_search_does():
    cheap, dear = outlook("convnet", 0.01, 1.0), outlook("resnet", 0.01, 10.0)
    assert planned_shares([cheap, dear], 20) == {"convnet": 1.0}
    found = planned_shares([outlook("convnet", 0.01, 1.0, left=5), dear], 20)
    assert found == {"convnet": 0.25, "resnet": 0.75}, "five configurations are all that there are"
    floor = planned_shares([outlook("convnet", 0.01, 1.0, spent=1000.0), dear], 64)
    assert 0 < floor["resnet"] < 0.2, "a family that is behind gets its least share"
    assert planned_shares([outlook("convnet", 0.01, 1.0, left=0)], 5) == {}
