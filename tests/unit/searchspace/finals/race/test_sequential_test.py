"""The sequential test: its error rate adds up, and lucky seeds are noticed; races end as fixed seeds would have."""

import math
from dataclasses import replace

import numpy as np
import pytest

from searchspace.finals.race.next_trainings import Entrant, RaceStanding, next_entrants, read_standing_of
from searchspace.finals.race.sequential_test import error_shares, pool_seed_variance
from searchspace.finals.select_winner import FinalistPredictions, RaceDesign, select_winner

IMAGES = 250
LABELS = np.zeros(IMAGES, np.int64)
SEEDS = 3


def said(right):
    return np.stack([right, 1 - right], axis=-1).astype(np.float32)


def finals(seed, settings):
    """Fully trained finalists of some skill and scatter over seeds, with a search score of their own."""
    rng = np.random.default_rng(seed)
    easiness = 3 * rng.normal(size=2 * IMAGES) + 5
    for number, (skill, scatter) in enumerate(settings):
        logits = easiness + skill + scatter * rng.normal(size=(SEEDS + 1, 1)) + rng.normal(size=(SEEDS + 1, 2 * IMAGES))
        search = float((logits[-1, IMAGES:] > 0).mean())
        right = 1 / (1 + np.exp(-logits[:-1, :IMAGES]))
        yield FinalistPredictions((number,), search, True, dict(enumerate(said(right))), 0, 1.0, planned=SEEDS)


def shown(full, counts):
    """The same after some trainings of each."""
    return [
        replace(each, probabilities={index: each.probabilities[index] for index in range(count)})
        for each, count in zip(full, counts, strict=True)
    ]


def race(full):
    """The trainings that a race takes, and its finalists."""
    counts, design = [1] * len(full), RaceDesign(SEEDS, len(full))
    while True:
        contenders = shown(full, counts)
        found = select_winner("accuracy", contenders, LABELS, design=design)
        sure = select_winner("accuracy", [replace(c, deterministic=True) for c in contenders], LABELS, design=design)
        entrants = [Entrant(number, SEEDS, 1.0, scored=count) for number, count in enumerate(counts)]
        chosen = next_entrants(entrants, read_standing_of(found, sure))
        if not chosen:
            return sum(counts), found
        counts[chosen[0]] += 1


@pytest.mark.parametrize("looks", [1, 2, 3, 8])
def test_the_parts_of_the_error_rate_add_up_and_most_is_left_for_the_end(looks):
    shares = error_shares(looks)
    assert sum(shares) == pytest.approx(1)
    assert list(shares) == sorted(shares)


def test_a_race_among_equals_seldom_errs_whatever_the_seeds_do():
    for scatter in (0.0, 0.5, 2.0):
        found = [race(list(finals(seed, [(0.0, scatter)] * 3)))[1] for seed in range(16)]
        assert np.mean([any(f.comparison.is_significant for f in each[1:]) for each in found]) <= 0.13


def test_a_race_finds_the_better_one_in_half_the_trainings():
    races = [race(list(finals(seed, [(0.0, 0.15), (-1.9, 0.15), (-1.9, 0.15)]))) for seed in range(12)]
    assert np.mean([count for count, _ in races]) < 6
    assert all(found[0].name == 0 for _, found in races)
    assert np.mean([all(f.comparison.is_significant for f in found[1:]) for _, found in races]) > 0.9
    assert all(len(found[0].scores) >= 2 for _, found in races), "an interval needs two"


def test_a_change_from_search_to_finals_that_differs_shows_how_seeds_scatter():
    steady, wild = ([c for seed in range(10) for c in finals(seed, [(0.0, s)] * 3)] for s in (0.0, 2.0))
    variances = []
    for contenders in (steady, wild):
        firsts = [[each.probabilities[0]] for each in contenders]
        pooled = pool_seed_variance("accuracy", firsts, [each.search_score for each in contenders], LABELS)
        assert pooled.freedom == len(contenders) - 1
        variances.append(math.sqrt(pooled.variance))
    assert variances[0] < 0.03
    assert variances[1] > 0.06


def test_without_search_scores_seeds_alone_tell():
    (one,) = finals(0, [(0.0, 0.5)])
    trainings = list(one.probabilities.values())
    scores = [float((each[:, 0] > 0.5).mean()) for each in trainings]
    pooled = pool_seed_variance("accuracy", [trainings], [None], LABELS)
    assert (pooled.variance, pooled.freedom) == (pytest.approx(np.var(scores, ddof=1)), 2)
    assert pool_seed_variance("accuracy", [trainings[:1]], [None], LABELS) is None


def test_closed_forms_have_an_interval_from_images_alone_and_a_probe_wins_in_a_tie():
    full = list(finals(1, [(0.0, 0.0), (-1.9, 0.0)]))
    fixed = [replace(each, deterministic=True) for each in shown(full, [1, 1])]
    first, second = select_winner("accuracy", fixed, LABELS, design=RaceDesign(SEEDS, 2))
    assert (first.name, second.comparison.outcome) == (0, "significant")
    same = shown(full[:1] * 2, [1, 1])
    tie = [replace(same[0], members=(3,)), replace(same[1], members=(4,), is_probe=True)]
    assert [f.name for f in select_winner("accuracy", tie, LABELS)] == [4, 3]


def test_a_standing_has_a_leader_who_is_behind_and_who_would_be():
    full = list(finals(1, [(0.0, 0.15), (-1.9, 0.15)]))
    found = select_winner("accuracy", shown(full, [3, 3]), LABELS, design=RaceDesign(SEEDS, 2))
    assert read_standing_of(found, found) == RaceStanding(0, frozenset({1}), frozenset({1}))
