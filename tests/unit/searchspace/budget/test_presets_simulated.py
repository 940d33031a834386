"""Presets on simulated searches: the winner of each is at least as good as that of the one before."""

from itertools import pairwise

import numpy as np
import pytest

from searchspace.budget.presets import PRESETS

SEARCHES = 2000
IMAGE_NOISE, SEED_NOISE = 0.3, 0.3
"""Standard deviations of a score by its validation images and by its seed; configurations differ by 1."""


def winners(preset, rng):
    """The true scores of the winners of many searches with the trials, finalists and seeds of a preset."""
    truth = rng.normal(size=(SEARCHES, preset.trials))
    searched = truth + rng.normal(0, np.hypot(IMAGE_NOISE, SEED_NOISE), truth.shape)
    finalists = np.argsort(-searched, axis=1)[:, : preset.finalists]
    true = np.take_along_axis(truth, finalists, axis=1)
    seeds = rng.normal(0, SEED_NOISE, (*true.shape, preset.final_seeds)).mean(axis=2)
    scored = true + rng.normal(0, IMAGE_NOISE, true.shape) + seeds
    return np.take_along_axis(true, scored.argmax(axis=1)[:, None], axis=1)[:, 0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_longer_preset_ends_with_better_winners(seed):
    rng = np.random.default_rng(seed)
    found = [winners(preset, rng) for preset in PRESETS.values()]
    for shorter, longer in pairwise(found):
        error = np.hypot(shorter.std(), longer.std()) / np.sqrt(SEARCHES)
        assert longer.mean() - shorter.mean() > 2 * error
