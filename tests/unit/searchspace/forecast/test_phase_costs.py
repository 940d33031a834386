"""Seconds of the phases after a search, against cases done by hand."""

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.budget.allowance import Phase
from searchspace.forecast.known_times import ClosingTimes
from searchspace.forecast.phase_costs import estimate_phases, most_trainings, training_seconds
from searchspace.forecast.trial_timing import incumbent_timing, make_timing
from searchspace.spec import make_spec
from searchspace.study.trial_attributes import record_config, record_report
from trainables.config import EpochReport, TrialConfig
from trainables.training.timing import Timing

CLOSING = ClosingTimes(test_image_seconds=0.01, export=40.0, report=2.0)
PROBE = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs")
CONVNET = Timing(config=TrialConfig(), steps=10, step_seconds=0.08, evaluation_seconds=0.2, setup_seconds=0.5)


def spec_of(**options):
    return make_spec(name="x", **({"max_epochs": 5, "finalists": 3, "final_seeds": 3} | options))


def test_what_follows_a_search_is_added_up_by_hand(digits):
    found = estimate_phases(CONVNET, spec_of(), digits, 2, CLOSING)
    assert found.finals == pytest.approx(6 * (0.5 + 5)), "twelve trainings, two at a time"
    assert found.winner == pytest.approx(0.5 + 5 * 0.8 * digits.growth), "a winner is not scored"
    assert found.test == pytest.approx(0.5 + 0.2 / digits.val * digits.test), "at the rate of its evaluations"
    assert (found.export, found.report) == (40.0, 2.0)
    assert found.total == pytest.approx(sum(found.of(phase) for phase in Phase))
    assert found.of(Phase.SEARCH) == 0


def test_a_race_and_folds_are_other_numbers_of_trainings(digits):
    assert estimate_phases(CONVNET, spec_of(), digits, 2, CLOSING, trainings=4.5).finals == pytest.approx(3 * 5.5)
    assert most_trainings(spec_of(folds=5, final_seeds=1), CONVNET) == 4 * 5
    assert estimate_phases(CONVNET, spec_of(), digits, 1, CLOSING, trainings=0).finals == 0


def test_a_student_is_trained_after_the_winner(digits):
    taught = spec_of(distil=True, distil_epochs=10, max_params=1)
    alone, both = (estimate_phases(CONVNET, spec, digits, 2, CLOSING).winner for spec in (spec_of(), taught))
    assert both - alone == pytest.approx(0.5 + 10 * 0.8 * digits.growth)


def test_a_closed_form_head_is_trained_once_and_its_features_are_shared(digits):
    report = EpochReport(
        trial="t", epoch=5, score=0.9, status="complete", seconds=2.0, setup_seconds=31.0, shared_seconds=30.0
    )
    probe = make_timing(PROBE, [report], digits)
    assert (probe.once_seconds, probe.setup_seconds) == (30.0, 1.0)
    assert training_seconds(probe, epochs=5) == pytest.approx(3.0)
    found = estimate_phases(probe, spec_of(), digits, 2, CLOSING)
    assert found.finals == pytest.approx(2 * 3.0), "four trainings: fresh seeds would change nothing"
    assert found.test == pytest.approx(1.0 + 30.0 * digits.test / (digits.train + digits.val))
    cached = probe.model_copy(update={"once_seconds": 0.0})
    assert estimate_phases(cached, spec_of(), digits, 2, CLOSING).test == pytest.approx(1.0 + 0.01 * digits.test)


def test_the_incumbent_is_the_best_at_full_length_else_the_furthest(digits):
    study = optuna.create_study(direction="maximize")
    assert incumbent_timing(study.get_trials(deepcopy=False), digits) is None
    for number, (epochs, score, state) in enumerate([(1, 0.9, None), (2, 0.7, None), (2, 0.6, TrialState.COMPLETE)]):
        trial = study.ask()
        record_config(trial, TrialConfig(width=8 + number), seed=0)
        for epoch in range(1, epochs + 1):
            told = EpochReport(trial="t", epoch=epoch, score=score, seconds=1.0, images_per_second=1000.0)
            record_report(trial, epoch, told)
        if number < 2:
            found = incumbent_timing(study.get_trials(deepcopy=False), digits)
            assert found.config.width == 8 + number
        else:
            study.tell(trial, score, state=state)
    assert incumbent_timing(study.get_trials(deepcopy=False), digits).config.width == 10
