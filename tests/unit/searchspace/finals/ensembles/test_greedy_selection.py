"""Greedy selection finds what helps, and its nested score does not flatter it."""

import numpy as np
import pytest

from searchspace.finals.ensembles.greedy_selection import (
    Library,
    best_single,
    deal_folds,
    score_nested,
    select_greedily,
)
from trainables.metrics.metric_registry import compute_score


def library_of(skills: tuple[float, ...], images: int = 400, classes: int = 4, seed: int = 0) -> Library:
    """Classifiers that err independently; the logit of the true class is raised by their skill."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(size=(len(skills), images, classes))
    logits[:, np.arange(images), labels] += np.array(skills)[:, None]
    powers = np.exp(logits)
    return Library(powers / powers.sum(axis=2, keepdims=True), labels)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "f1_macro"])
def test_classifiers_that_err_independently_help_each_other(metric):
    library = library_of((2.0, 2.0, 2.0, -1.0))
    counts = select_greedily(metric, library)
    assert counts[3] == 0
    assert all(counts[:3])
    nested = score_nested(metric, library, seed=0)
    assert nested.gain > 2 * nested.noise > 0
    assert nested.is_clear


def test_it_is_never_below_the_best_member_on_the_images_that_select():
    for seed in range(20):
        library = library_of((1.0, 1.1, 0.2), images=60, seed=seed)
        chosen, single = (find("accuracy", library) for find in (select_greedily, best_single))
        scores = [compute_score("accuracy", library.mean(each), library.labels) for each in (chosen, single)]
        assert scores[0] >= scores[1]


def test_classifiers_that_know_nothing_gain_nothing_by_being_many():
    """Selected and scored on the same images, they seem to gain 10 points; on other images, nothing."""
    gains, flattered = [], []
    for seed in range(40):
        library = library_of((0.0,) * 12, images=100, seed=seed)
        chosen = compute_score("accuracy", library.mean(select_greedily("accuracy", library)), library.labels)
        flattered.append(chosen - 0.25)
        gains.append(score_nested("accuracy", library, seed).gain)
    error = np.std(gains) / np.sqrt(len(gains))
    assert abs(np.mean(gains)) < 3 * error
    assert np.mean(flattered) > 0.1 > 5 * error


def test_copies_of_one_classifier_are_that_classifier():
    library = library_of((1.5,))
    copies = Library(np.repeat(library.probabilities, 4, axis=0), library.labels)
    assert sum(map(bool, select_greedily("accuracy", copies))) == 1
    nested = score_nested("accuracy", copies, seed=0)
    assert (nested.gain, nested.loss_gain) == (0.0, 0.0)
    assert not nested.is_clear


def test_only_admitted_members_join():
    library = library_of((2.0, 2.0, 2.0, 1.9))
    counts = select_greedily("accuracy", library, lambda members: len(members) <= 2)
    assert sum(map(bool, counts)) == 2
    assert not any(select_greedily("accuracy", library, lambda members: not members & {0, 1, 2})[:3])


def test_weights_of_images_and_of_members_count():
    library = library_of((1.0, 1.0), images=50)
    assert library.mean((3, 1)) == pytest.approx((3 * library.probabilities[0] + library.probabilities[1]) / 4)
    assert library.mean((1, 2)).sum(axis=1) == pytest.approx(1.0)
    weighted = Library(library.probabilities, library.labels, np.linspace(0.1, 2, 50).astype(np.float32))
    assert weighted.at(np.arange(10)).weights.shape == (10,)
    assert np.isfinite(score_nested("accuracy", weighted, seed=0).noise)


def test_each_class_is_in_every_fold():
    labels = np.repeat([0, 1, 2], [50, 20, 10])
    fold_of = deal_folds(labels, 5, seed=1)
    assert [[int(((fold_of == fold) & (labels == label)).sum()) for label in range(3)] for fold in range(5)] == [
        [10, 4, 2]
    ] * 5
