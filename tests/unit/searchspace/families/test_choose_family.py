"""Which family the next trial is drawn from: what pays a second, and never nothing for the others."""

import math
from dataclasses import replace

import pytest

from searchspace.families.choose import FLOOR, choose_family
from searchspace.families.enough import Remainder, chance_of_better
from searchspace.families.family import Family, FamilyChoice
from searchspace.families.learning_curve import Scale
from searchspace.families.outlook import Effort, estimate_outlooks, log_best
from searchspace.families.trial_progress import TrialProgress

PROBES, CONVNET = Family("tf_efficientnet_lite0", "closed form"), Family("convnet", "scratch")
CHOICES = [FamilyChoice(PROBES, {}), FamilyChoice(CONVNET, {})]
SCALE = Scale(1.0, 500, 18)
EFFORT = Effort(SCALE, (2, 6), 3)


def probe(score, shared=40.0):
    return TrialProgress(PROBES, (18,), (score,), 0.4, shared)


def convnet(pace, *scores):
    epochs = (2, 6, 18)[: len(scores)]
    return TrialProgress(CONVNET, epochs, scores, pace * epochs[-1])


def chosen(*trials, effort=EFFORT):
    found = choose_family(estimate_outlooks(CHOICES, trials, effort))
    assert found is not None
    return found.family


@pytest.mark.parametrize("curve", [(0.55,), (0.55, 0.68), (0.55, 0.68, 0.77)])
def test_on_photographs_a_slow_network_that_is_behind_yields_to_probes(curve):
    assert chosen(probe(0.88), probe(0.87), probe(0.885), convnet(40.0, *curve)) == PROBES


@pytest.mark.parametrize("curve", [(0.9,), (0.9, 0.97), (0.9, 0.97, 0.99)])
def test_on_small_images_a_quick_network_that_rises_is_what_pays(curve):
    assert chosen(probe(0.93), probe(0.925), convnet(0.2, *curve)) == CONVNET


def test_a_family_far_behind_is_due_once_its_trial_fits_its_least_share():
    slow = convnet(1.0, 0.5, 0.6, 0.65)
    few, many = [probe(0.9, 0.0)] * 20, [probe(0.9, 0.0)] * 20_000
    assert chosen(*few, slow) == PROBES
    outlooks = estimate_outlooks(CHOICES, [*many, slow], EFFORT)
    found = choose_family(outlooks)
    assert (found.family, found.by_floor) == (CONVNET, True)
    assert found.outlook.spent + found.outlook.seconds <= FLOOR / 2 * sum(each.spent for each in outlooks)


def test_credit_that_covers_the_next_rung_of_a_held_trial_is_spent_on_it():
    outlooks = estimate_outlooks(CHOICES, [*[probe(0.9, 0.0)] * 520, convnet(1.0, 0.5)], EFFORT)
    credit = FLOOR / 2 * sum(each.spent for each in outlooks) - outlooks[1].spent
    assert choose_family(outlooks).by_floor
    assert not choose_family(outlooks, steps={CONVNET: credit + 0.1}).by_floor
    dear = replace(outlooks[1], seconds=credit + 0.1)
    assert not choose_family([outlooks[0], dear]).by_floor
    found = choose_family([outlooks[0], dear], steps={CONVNET: credit - 0.1})
    assert (found.family, found.by_floor) == (CONVNET, True)


def test_a_steep_curve_keeps_its_chance_and_a_flat_one_loses_it():
    def chance(*scores):
        trials = [probe(0.88), convnet(5.0, *scores)]
        outlook = estimate_outlooks(CHOICES, trials, EFFORT)[1]
        best = log_best(trials, SCALE)
        return chance_of_better([outlook], [], best, SCALE, Remainder(3, math.inf))

    assert chance(0.3, 0.75) > 0.5, "slow at first, and rising"
    assert chance(0.72, 0.73, 0.735) < 0.05


def test_costs_leave_out_what_is_paid_once_and_count_epochs_where_timing_must_not_matter():
    frozen = TrialProgress(CONVNET, (2, 6, 18), (0.8, 0.8, 0.8), 18.0, 500.0)
    again = TrialProgress(CONVNET, (2,), (0.8,), 2.0, 0.0)
    own = estimate_outlooks(CHOICES, [frozen, again], EFFORT)[1]
    assert own.seconds == pytest.approx(EFFORT.expected_epochs()) == pytest.approx(2 + 4 / 3 + 12 / 9)
    untimed = Effort(SCALE, (2, 6), 3, timed=False)
    assert [each.seconds for each in estimate_outlooks(CHOICES, [probe(0.8), again], untimed)] == pytest.approx(
        [1.0, EFFORT.expected_epochs()]
    )


def test_nothing_is_better_than_a_score_without_errors():
    trials = [convnet(0.1, 0.9, 0.99, 1.0), probe(0.9)]
    outlooks = estimate_outlooks(CHOICES, trials, EFFORT)
    assert chance_of_better(outlooks, [], log_best(trials, SCALE), SCALE, Remainder(1000, math.inf)) == 0
    assert choose_family(outlooks) is not None
