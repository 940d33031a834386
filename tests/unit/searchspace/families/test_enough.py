"""When a search has searched enough."""

import math
import random

import pytest

from searchspace.families.enough import (
    LEAST_CHANCE_OF_BETTER,
    EndDecision,
    EndReason,
    Found,
    decide_end,
    is_at_noise_floor,
)
from searchspace.families.learning_curve import Scale

SCALE = Scale(1.0, 500, 18)
GENERATED = [random.Random(seed) for seed in range(200)]


def found_by(rng):
    score = rng.choice([1.0, rng.uniform(0.1, 1.0)])
    return Found(rng.choice([0, 0, 3]), rng.randrange(20), score, rng.choice([0.0, rng.expovariate(1)]))


@pytest.mark.parametrize("rng", GENERATED)
def test_a_search_ends_only_where_patience_is_lost_and_a_better_winner_unlikely(rng):
    found, patience, chance = found_by(rng), rng.randrange(12), rng.choice([0.0, 0.04, 0.05, 0.9])
    decision = decide_end(found, SCALE, patience, lambda: chance)
    floor = is_at_noise_floor(found.score, found.loss, SCALE)
    lost = found.without_gain >= patience and chance < LEAST_CHANCE_OF_BETTER
    expected = patience > 0 and found.awaited == 0 and (floor or lost)
    assert (decision is not None) == expected
    if decision is not None:
        reason = EndReason.NOISE_FLOOR if floor else EndReason.CHANCE
        assert decision == EndDecision(reason, 0.0 if floor else chance)


def test_the_chance_is_asked_for_only_where_it_counts():
    def refuse():
        raise AssertionError("asked")

    for found in (Found(0, 3, 0.9, 0.3), Found(2, 99, 0.9, 0.3), Found(0, 99, 1.0, 0.0)):
        decide_end(found, SCALE, 8, refuse)
    with pytest.raises(AssertionError, match="asked"):
        decide_end(Found(0, 8, 0.9, 0.3), SCALE, 8, refuse)


@pytest.mark.parametrize("rng", GENERATED[:50])
def test_at_the_noise_floor_no_image_is_misclassified(rng):
    """An error costs ln(2) at least, which alone is more than all images together have at the floor."""
    images = rng.randrange(1, 2000)
    losses = [rng.expovariate(1000 * images) for _ in range(images)]
    scale = Scale(1.0, images, 18)
    assert is_at_noise_floor(1.0, sum(losses) / images, scale)
    assert not is_at_noise_floor(1.0, (sum(losses) + math.log(2) + 1e-9) / images, scale)
    assert not is_at_noise_floor(1 - 1 / images, sum(losses) / images, scale)


def test_of_a_negated_loss_the_floor_is_the_same():
    scale = Scale(0.0, 500, 18)
    assert is_at_noise_floor(-0.001, 0.001, scale)
    assert not is_at_noise_floor(-0.01, 0.01, scale)
