"""Folds: each training image is held out once, groups stay whole, and classes are spread as evenly as can be."""

import re

import numpy as np
import pytest

from trainables.common.errors import UserError
from trainables.config import Assignment, Fold, TrialConfig
from trainables.data.finals_validation import FinalsValidation
from trainables.data.folds import assign_folds, check_folds, cross_validated
from trainables.data.store.image_columns import ImageColumns
from trainables.data.store.store import Store
from trainables.models import whitening
from trainables.training.loop import TrialRun
from trainables.training.snapshot import assignment_digest

CLASSES = ("ants", "bees", "wasps")


def labelled(seed, count=120):
    rng = np.random.default_rng(seed)
    return np.concatenate([np.arange(3), rng.choice(3, count - 3, p=rng.dirichlet(np.full(3, 4.0)))])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_folds_without_groups_are_stratified_and_equally_large(seed, count):
    labels = labelled(seed)
    folds = assign_folds(labels, count)
    assert np.ptp(np.bincount(folds, minlength=count)) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(folds[labels == label], minlength=count)) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_a_group_is_in_one_fold_and_classes_are_spread(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [150, 100])
    groups = np.concatenate([rng.integers(0, 40, 150), rng.integers(30, 70, 100)])
    folds = assign_folds(labels, 5, groups=groups)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    for label, images in ((0, 150), (1, 100)):
        assert np.abs(np.bincount(folds[labels == label], minlength=5) - images / 5).max() <= images / 5 * 0.3


def test_folds_are_as_even_as_those_of_scikit_learn():
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(0)
    uneven = []
    for _ in range(20):
        labels, groups = rng.integers(0, 3, 200), rng.integers(0, 40, 200)
        own = assign_folds(labels, 5, groups=groups)
        other = np.empty(200, np.int64)
        for index, (_, held) in enumerate(StratifiedGroupKFold(5).split(labels, labels, groups)):
            other[held] = index
        spread = [
            np.mean([np.bincount(folds[labels == c], minlength=5).std() for c in range(3)]) for folds in (own, other)
        ]
        uneven.append(spread)
    mine, theirs = np.mean(uneven, axis=0)
    assert mine <= theirs * 1.05


def test_the_folds_depend_on_labels_and_repetition_alone():
    labels = labelled(0)
    assert assign_folds(labels, 5).tolist() == assign_folds(labels, 5).tolist()
    assert assign_folds(labels, 5).tolist() != assign_folds(labels, 5, repeat=1).tolist()
    # Kept, so that a search resumed with another version of anything still has the same folds.
    assert assign_folds(labels, 5)[:12].tolist() == [4, 3, 4, 2, 2, 2, 3, 4, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("counts", "folds", "message"),
    [
        (
            (20, 4, 9),
            5,
            "--folds 5: class 'bees' has 4 images to train on, too few for one in each fold; give --folds 4",
        ),
        ((20, 9, 2), 3, "--folds 3: class 'wasps' has 2 images to train on, .*; give --folds 2 at most"),
        ((20, 9, 1), 3, "class 'wasps' has 1 image to train on, .*; no number of folds works: leave --folds out"),
    ],
    ids=["fewer", "two", "none"],
)
def test_too_few_images_are_told_with_the_most_folds_that_work(counts, folds, message):
    labels = np.repeat(np.arange(3), counts)
    with pytest.raises(UserError, match=message) as error:
        check_folds(labels, folds, 1, CLASSES)
    if most := re.search(r"give --folds (\d+)", str(error.value)):
        check_folds(labels, int(most[1]), 1, CLASSES)


@pytest.mark.parametrize("seed", range(12))
def test_the_folds_that_an_error_of_groups_advises_work(seed):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 3, 60), rng.integers(0, 9, 60)
    with pytest.raises(UserError, match=r"groups? of images") as error:
        check_folds(labels, 20, 2, CLASSES, groups)
    if most := re.search(r"give --folds (\d+)", str(error.value)):
        check_folds(labels, int(most[1]), 2, CLASSES, groups)
    else:
        with pytest.raises(UserError):
            check_folds(labels, 2, 2, CLASSES, groups)


def test_a_class_that_is_too_few_groups_is_told_as_such():
    labels, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 3, 3])
    with pytest.raises(UserError, match="'bees' has 1 group of images to train on"):
        check_folds(labels, 2, 1, CLASSES, groups)


def test_each_training_image_is_held_out_once_and_validation_images_never(digits_store):
    summary = cross_validated(digits_store.summary, 4)
    assert summary.finals == FinalsValidation(source="folds", folds=4, images=summary.train, search_images=summary.val)
    store = Store(summary, digits_store.images, digits_store.labels)
    assert store.rows("val").tolist() == digits_store.rows("val").tolist()
    held = []
    for index in range(4):
        fold = Fold(index=index, count=4)
        trained, scored = store.rows("final-train", fold), store.rows("final-val", fold)
        assert sorted([*trained, *scored]) == store.rows("trainval").tolist()
        assert set(store.rows("val")) <= set(trained)
        assert (np.diff(trained) > 0).all()
        held += scored.tolist()
    assert sorted(held) == store.rows("train").tolist()


def test_groups_of_a_store_stay_whole_and_leave_training_when_they_are_held_out(digits_store):
    count = len(digits_store.labels)
    groups = np.where(np.arange(count) % 3 == 0, -1, np.arange(count) // 6 % 100)
    store = Store(digits_store.summary, digits_store.images, digits_store.labels, ImageColumns(groups=groups))
    for index in range(3):
        fold = Fold(index=index, count=3)
        trained, scored = store.rows("final-train", fold), store.rows("final-val", fold)
        assert not (set(groups[trained]) & set(groups[scored])) - {-1}
        assert set(store.rows("val")[groups[store.rows("val")] < 0]) <= set(trained)


def test_a_fold_trains_whitens_and_is_scored_by_its_own_images(place, tmp_path, monkeypatch):
    monkeypatch.setattr(whitening, "_FILTERS", {})
    config = TrialConfig(width=8, depth=1, batch_size=64)
    folds = [None, *(Fold(index=index, count=5) for index in range(2))]
    tasks = [
        Assignment(trial="t", kind="final", config=config, seed=1, max_epochs=1, folder=str(tmp_path), fold=fold)
        for fold in folds
    ]
    runs = [TrialRun(task, place) for task in tasks]
    assert [len(run.rows) for run in runs[1:]] == [len(place.store.rows("final-train", fold)) for fold in folds[1:]]
    assert not set(runs[1].rows) >= set(runs[2].rows)
    assert len(whitening._FILTERS) == 3
    assert len({assignment_digest(task) for task in tasks}) == 3
    assert runs[1].train_epoch().score > 0
