"""The bootstrap: many resamples at a time give what scikit-learn gives one at a time."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from trainables.bootstrap import BLOCK, Guesses, draw_images, resampled_scores, score_intervals
from trainables.scores import score_of

REFERENCES = {
    "accuracy": lambda labels, p: accuracy_score(labels, p.argmax(axis=1)),
    "balanced_accuracy": lambda labels, p: balanced_accuracy_score(labels, p.argmax(axis=1)),
    "f1_macro": lambda labels, p: f1_score(labels, p.argmax(axis=1), average="macro", labels=np.unique(labels)),
    "log_loss": lambda labels, p: -log_loss(labels, p.astype(np.float64), labels=range(p.shape[1])),
}


def guessed(rng, count, classes=3, skill=1.0):
    labels = np.concatenate([np.arange(classes), rng.choice(classes, count - classes, p=[0.8, 0.15, 0.05])])
    logits = rng.normal(size=(count, classes)) + skill * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("metric", REFERENCES)
def test_a_resample_scores_as_scikit_learn_scores_it(metric):
    probabilities, labels = guessed(np.random.default_rng(0), 60)
    (draws,) = draw_images(60, 20, seed=3)
    found = resampled_scores(metric, Guesses.of(probabilities, labels), draws)
    assert len(np.unique(found)) > 5
    for row, score in zip(draws, found, strict=True):
        assert score == pytest.approx(REFERENCES[metric](labels[row], probabilities[row]))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_images_themselves_score_as_the_search_scores_them(metric):
    probabilities, labels = guessed(np.random.default_rng(1), 50)
    once = np.arange(50)[None]
    (found,) = resampled_scores(metric, Guesses.of(probabilities, labels), once)
    assert found == pytest.approx(score_of(metric, probabilities, labels))


def test_draws_come_in_blocks_and_repeat_with_their_seed():
    count = BLOCK // 2
    blocks = list(draw_images(count, 3, seed=5))
    assert [len(block) for block in blocks] == [2, 1]
    assert all(np.array_equal(a, b) for a, b in zip(blocks, draw_images(count, 3, seed=5), strict=True))
    assert not np.array_equal(blocks[0][0], next(draw_images(count, 3, seed=6))[0])


@pytest.mark.parametrize("metric", ["f1_macro", "log_loss"])
def test_intervals_cover_the_truth_about_19_times_in_20(metric):
    rng = np.random.default_rng(2)
    truth = float(resampled_scores(metric, Guesses.of(*guessed(rng, 200_000)), np.arange(200_000)[None])[0])
    covered = 0
    for seed in range(200):
        ((low, high),) = score_intervals([metric], Guesses.of(*guessed(rng, 400)), 300, seed)
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99
