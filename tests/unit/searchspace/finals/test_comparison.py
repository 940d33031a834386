"""The comparison of two classifiers: Welch's interval over seeds, and the paired one over images, each counted once."""

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from searchspace.finals.comparison import ComparisonTerms, compare

IMAGES = 400
LABELS = np.zeros(IMAGES, np.int64)


def wrong_on(*rows):
    """One training of two classes that is wrong on these images only."""
    return np.where(np.isin(np.arange(IMAGES), np.concatenate(rows))[:, None], [[0.1, 0.9]], [[0.9, 0.1]])


def training(wrong):
    """One training that is wrong on the first so many images."""
    return wrong_on(np.arange(wrong))


def reach(found):
    return found.high - found.difference


def test_seeds_count_as_in_welchs_test_where_images_hardly_do():
    first = [training(n) for n in (90, 100, 110)]
    second = [training(n) for n in (150, 200, 250)]
    found = compare("accuracy", first, second, LABELS)
    scores = [[1 - n / IMAGES for n in counts] for counts in ((90, 100, 110), (150, 200, 250))]
    welch = ttest_ind(*scores, equal_var=False).confidence_interval()
    assert found.difference == pytest.approx(0.25)
    assert reach(found) == pytest.approx((welch.high - welch.low) / 2, rel=0.15)


def test_a_side_that_never_scatters_lends_the_other_no_degrees_of_freedom():
    steady, unsteady = [training(100)] * 3, [training(n) for n in (150, 200, 250)]
    found = compare("accuracy", steady, unsteady, LABELS)
    deviation = 0.125 / np.sqrt(3)
    assert reach(found) == pytest.approx(t.ppf(0.975, 2) * deviation, rel=0.12)
    assert reach(found) > 1.3 * t.ppf(0.975, 4) * deviation, "what a pooled variance would give"


def test_images_count_as_in_a_paired_test_where_seeds_do_not_scatter():
    first, second = [training(10)] * 3, [training(40)] * 3
    found = compare("accuracy", first, second, LABELS)
    paired = np.array([1.0] * 30 + [0.0] * (IMAGES - 30))
    assert reach(found) == pytest.approx(1.96 * paired.std(ddof=1) / np.sqrt(IMAGES), rel=1e-3)
    assert found.outcome == "significant"


def test_what_seeds_do_to_single_images_counts_once():
    """Seeds that err on different images, and all equally often, scatter less than images drawn anew would."""
    rng = np.random.default_rng(0)
    noise = [[wrong_on(rng.choice(IMAGES, 60, replace=False)) for _ in range(5)] for _ in range(2)]
    scatter = [
        [wrong_on(rng.choice(IMAGES, rng.binomial(IMAGES, 0.15), replace=False)) for _ in range(5)] for _ in "ab"
    ]
    still = compare("accuracy", *noise, LABELS)
    moving = compare("accuracy", *scatter, LABELS)
    alone = np.sqrt(2 * 0.15 * 0.85 / IMAGES / 5)
    assert reach(still) == pytest.approx(1.96 * alone, rel=0.15)
    assert reach(moving) < 1.5 * 2.31 * alone


def test_one_seed_of_a_side_is_taken_to_vary_as_the_others_do():
    several, one = [training(n) for n in (90, 100, 110)], [training(200)]
    found = compare("accuracy", several, one, LABELS)
    assert found.outcome == "significant"
    assert compare("accuracy", one, several, LABELS).high == pytest.approx(-found.low)
    assert compare("accuracy", one, one, LABELS).outcome == "one seed"


def test_several_comparisons_at_once_are_more_cautious():
    first, second = [training(n) for n in (90, 100, 110)], [training(n) for n in (105, 120, 130)]
    once, thrice = (compare("accuracy", first, second, LABELS, ComparisonTerms(pairs)) for pairs in (1, 3))
    assert reach(thrice) > reach(once)
    assert once.difference == thrice.difference


def test_an_interval_ends_where_scores_do():
    found = compare("accuracy", [training(0)] * 2, [training(100), training(300)], LABELS, ComparisonTerms(pairs=6))
    assert (found.low, found.high) == (-1.0, 1.0)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "log_loss"])
def test_equal_answers_are_no_information(metric):
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=90)
    said = rng.dirichlet(np.ones(3), size=90)
    assert compare(metric, [said] * 2, [said] * 3, labels).outcome == "no variance"
    assert compare(metric, [said[:1]] * 2, [said[:1]] * 2, labels[:1]).outcome == "no variance"
