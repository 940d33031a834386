"""The comparison of cross-validated finalists: scores of pooled predictions, and an interval that errs seldom."""

import numpy as np
import pytest

from searchspace.finals.finalist import Finalist
from searchspace.finals.fold_comparison import FoldedImages, compare_folds
from searchspace.finals.formatting import format_rescore, format_undecided
from searchspace.finals.select_winner import FinalistPredictions, select_winner
from searchspace.reporting.tables.finalists import finalist_rows
from trainables.data.folds import assign_folds
from trainables.metrics.metric_registry import METRICS, compute_score

IMAGES, FOLDS = 200, 5
LABELS = np.arange(IMAGES) % 2


def folded(repeats=1):
    return FoldedImages({r: assign_folds(LABELS, FOLDS, r) for r in range(repeats)}, always_trained=40)


def as_probabilities(right):
    chosen = np.where(right, LABELS, 1 - LABELS)
    return np.where(np.arange(2) == chosen[:, None], 0.9, 0.1).astype(np.float32)


def trained(rng, easiness, skill, scatter, images):
    """Out-of-fold predictions of one configuration; a training's scatter is shared by the images of its fold."""
    return {
        repeat: as_probabilities(
            easiness + skill + scatter * rng.normal(size=FOLDS)[folds] + rng.normal(size=IMAGES) > 0
        )
        for repeat, folds in images.folds.items()
    }


def simulated(skills, scatter, repeats=1, searches=50):
    for seed in range(searches):
        rng, images = np.random.default_rng(seed), folded(repeats)
        easiness = 3 * rng.normal(size=IMAGES) + 4
        contenders = [
            FinalistPredictions((i,), None, True, trained(rng, easiness, skill, scatter, images), 0, 1.0)
            for i, skill in enumerate(skills)
        ]
        yield select_winner("accuracy", contenders, LABELS, images)


def test_ratio_and_number_of_trainings_are_those_of_the_folds():
    assert folded().trainings == 5
    assert folded(3).trainings == 15
    assert folded(3).held_out_ratio == pytest.approx(40 / (160 + 40))


@pytest.mark.parametrize("metric", METRICS)
def test_the_score_is_that_of_all_out_of_fold_predictions_together(metric):
    rng, images = np.random.default_rng(0), folded(2)
    first, second = ({r: as_probabilities(rng.random(IMAGES) > e) for r in (0, 1)} for e in (0.1, 0.3))
    contenders = [FinalistPredictions((i,), None, True, each, 0, 1.0) for i, each in enumerate((first, second))]
    best, other = select_winner(metric, contenders, LABELS, images)
    assert best.scores == tuple(compute_score(metric, first[r], LABELS) for r in (0, 1))
    held = images.folds[1] == 4
    assert best.fold_scores[-1] == compute_score(metric, first[1][held], LABELS[held])
    assert len(best.fold_scores) == 10
    assert other.comparison.difference == pytest.approx(best.score - other.score)
    assert other.comparison.is_significant
    assert other.comparison.method == "corrected t"


def test_the_interval_is_the_corrected_t_of_fold_differences():
    rng, images = np.random.default_rng(1), folded()
    first, second = ({0: as_probabilities(rng.random(IMAGES) > e)} for e in (0.1, 0.2))
    found = compare_folds("accuracy", first, second, LABELS, images)
    each = [
        compute_score("accuracy", first[0][held], LABELS[held])
        - compute_score("accuracy", second[0][held], LABELS[held])
        for held in (images.folds[0] == fold for fold in range(FOLDS))
    ]
    assert found.difference == pytest.approx(np.mean(each))
    corrected = (1 / 5 + 40 / 200) * np.var(each, ddof=1)
    right = [(said[0].argmax(axis=1) == LABELS).astype(float) for said in (first, second)]
    paired = np.var(right[0] - right[1], ddof=1) / IMAGES
    assert max(corrected, paired) == corrected, "of this draw; the other case is the next test's"
    assert found.high - found.difference == pytest.approx(2.776445 * np.sqrt(corrected))


def test_folds_that_agree_by_chance_leave_the_images_variance():
    images = folded()
    wrong = np.zeros(IMAGES, bool)
    for fold in range(FOLDS):  # two errors more in each fold: the folds' differences are all equal
        wrong[np.flatnonzero(images.folds[0] == fold)[:2]] = True
    found = compare_folds(
        "accuracy", {0: as_probabilities(wrong | True)}, {0: as_probabilities(~wrong)}, LABELS, images
    )
    assert found.difference == pytest.approx(0.05)
    assert found.high - found.difference == pytest.approx(1.96 * np.sqrt(wrong.var(ddof=1) / IMAGES), rel=1e-3)


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("scatter", [0.0, 1.0])
def test_equals_seldom_differ_significantly(scatter, repeats):
    wrongly = [any(f.comparison.is_significant for f in found[1:]) for found in simulated([0.0] * 3, scatter, repeats)]
    assert np.mean(wrongly) <= 0.06


@pytest.mark.parametrize(("repeats", "power"), [(1, 0.6), (3, 0.9)])
def test_the_clearly_different_differ_significantly(repeats, power):
    found = list(simulated([0.0, 4.0], 0.3, repeats))
    assert np.mean([finalists[0].name == 1 for finalists in found]) > 0.99
    assert np.mean([finalists[1].comparison.is_significant for finalists in found]) > power


def test_who_answers_alike_is_no_information():
    same = {0: as_probabilities(np.arange(IMAGES) > 10)}
    assert compare_folds("accuracy", same, same, LABELS, folded()).outcome == "no variance"


def test_boards_and_lines_say_folds():
    finalists = next(iter(simulated([0.0, 0.0], 0.5)))
    assert format_rescore("accuracy", finalists[0]).endswith("points over 5 folds")
    (doubt,) = format_undecided("accuracy", finalists)
    assert "95 % corrected t interval" in doubt
    assert [(row["seeds"], row["folds"]) for row in finalist_rows("accuracy", finalists, {})] == [(1, 5)] * 2
    twice = next(iter(simulated([0.0, 0.0], 0.5, repeats=2)))
    assert format_rescore("accuracy", twice[0]).endswith("over 5 folds, 2 times")


def test_a_record_without_folds_is_one_of_seeds():
    facts = {"members": (1,), "search_score": 0.95, "scores": (0.9, 0.92), "val_losses": (1.0, 1.0), "lost": 0}
    old = Finalist.model_validate(facts | {"full_length": True, "seconds": 1.0})
    assert old.fold_scores == ()
    assert format_rescore("accuracy", old).endswith("over 2 fresh seeds")
