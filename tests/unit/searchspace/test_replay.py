"""Replaying a search's own curves: its own setting does what it did, others what they would have done."""

import math

import pytest

from searchspace.replay import Setting, recorded_curves, replay, settings_for
from searchspace.spec import make_spec
from searchspace.stopping.simulate_curves import Curve

EPOCHS = range(1, 10)
FULL = [Curve([float(e) for e in EPOCHS], [best * e for e in EPOCHS]) for best in (3, 9, 5, 7, 1, 2)]


def setting(**changes) -> Setting:
    given = {"scheduler": "asha", "budget_unit": "epochs", "grace_epochs": 1, "reduction_factor": 3}
    return Setting(**given | changes)


def test_without_stopping_all_epochs_are_trained():
    found = replay(FULL, setting(scheduler="none"), 9, slots=2)
    assert (found.epochs, found.seconds, found.best, found.unknown) == (54, 27.0, 81, 0)


def test_asha_finds_the_same_for_less():
    found = replay(FULL, setting(), 9, slots=1)
    assert found.best == 81
    assert found.epochs < 30
    assert found.unknown == 0


def test_who_would_have_gone_on_beyond_the_record_is_counted():
    cut = [Curve(curve.seconds[:1], curve.values[:1]) for curve in FULL]
    found = replay(cut, setting(), 9, slots=1)
    assert (found.best, found.epochs) == (None, 6)
    assert found.unknown == 3, "the first and two of six go on, and nobody knows what would have become of them"
    failed = [Curve([1.0], [-math.inf]) for _ in range(6)]
    assert replay(failed, setting(), 9, slots=1).unknown == 0, "a failure is an end"


def test_the_grid_begins_with_the_searchs_own_setting_and_has_none_twice():
    spec = make_spec(name="x", grace_epochs=2, max_epochs=18)
    settings = settings_for(spec)
    assert settings[0] == setting(grace_epochs=2)
    assert len(set(settings)) == len(settings)


def test_seconds_never_run_backwards(study_with_a_failure):
    (curve,) = recorded_curves(study_with_a_failure)
    assert list(curve.seconds) == [1.0, 2.0, 2.0]
    assert curve.values[-1] == -math.inf


@pytest.fixture
def study_with_a_failure():
    import optuna

    from searchspace.study.trial_attributes import curve_attributes
    from trainables.config import EpochReport, TrialConfig, failure

    reports = [EpochReport(trial="t", epoch=e, score=0.1, total_seconds=float(e)) for e in (1, 2)]
    reports.append(failure("t", "diverged", 3))
    attributes = curve_attributes(reports) | {"config": TrialConfig().model_dump_json()}
    return [optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL, user_attrs=attributes)]
