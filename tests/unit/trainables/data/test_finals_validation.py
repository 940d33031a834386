"""Finals are scored on images that did not choose the finalists, so that re-scores do not flatter."""

import json

import numpy as np
import pytest

from searchspace.finals.select_winner import FinalistPredictions, select_winner
from searchspace.finals.validation_images import (
    format_validation,
    read_validation,
    recorded_validation,
    with_recorded_validation,
)
from searchspace.preparation.prepare_data import describe_data
from searchspace.spec import make_spec, save_record
from searchspace.study.study import create_study, write_study_attribute
from trainables.config import Assignment, TrialConfig
from trainables.data.finals_validation import HELD_BACK_FROM, FinalsValidation, Partition, choose_finals_validation
from trainables.data.store.store import Store, open_store
from trainables.models import whitening
from trainables.training.loop import TrialRun


def labelled(seed, train, val, classes=5):
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(classes))
    return np.concatenate([np.arange(classes), rng.choice(classes, train - classes, p=share),
                           rng.choice(classes, val, p=share)])  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("source", ["drawn", "held back", "reused"])
def test_the_finals_images_are_others_than_the_searchs(seed, source):
    labels = labelled(seed, 200, 60)
    found = Partition.from_labels(labels, 200, source)
    assert found.train.tolist() == list(range(200))
    assert not set(found.final_val) & set(found.final_train)
    assert not set(found.val) & set(found.train)
    for rows in (found.train, found.val, found.final_train, found.final_val):
        assert (np.diff(rows) > 0).all()
    if source == "reused":
        assert found.final_val.tolist() == found.val.tolist()
        return
    assert not set(found.final_val) & set(found.val)
    kept = {"drawn": set(range(260)), "held back": set(range(200))}[source]
    assert set(found.final_train) == kept - set(found.final_val)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_drawn_has_the_classes_of_the_searchs(seed):
    labels = labelled(seed, 400, 60)
    found = Partition.from_labels(labels, 400, "drawn")
    counts = [np.bincount(labels[rows], minlength=5) for rows in (found.train, found.val)]
    finals = [np.bincount(labels[rows], minlength=5) for rows in (found.final_train, found.final_val)]
    there = np.minimum(counts[1], counts[0])
    assert finals[1].tolist() == there.tolist()
    assert (finals[0] + finals[1] == counts[0] + counts[1]).all()
    assert set(found.final_val) <= set(found.train), "the search trained on these, and was not chosen by them"


def test_a_given_validation_split_is_halved_if_it_is_large_and_kept_if_it_is_small():
    small, large = labelled(0, 300, HELD_BACK_FROM - 1), labelled(0, 300, HELD_BACK_FROM)
    assert choose_finals_validation(small, 300, given=True) == FinalsValidation(
        source="reused", images=HELD_BACK_FROM - 1, search_images=HELD_BACK_FROM - 1
    )
    held = choose_finals_validation(large, 300, given=True)
    assert held.source == "held back"
    assert held.images + held.search_images == HELD_BACK_FROM
    assert 0 <= held.search_images - held.images <= 5, "at most one image of each class more"
    assert choose_finals_validation(small, 300, given=False).source == "drawn"


def test_the_split_is_the_same_whoever_asks(digits):
    first, again = open_store(digits), open_store(digits)
    assert digits.finals == FinalsValidation(source="drawn", images=digits.val, search_images=digits.val)
    assert first.rows("final-val").tolist() == again.rows("final-val").tolist()
    # Kept, so that a search resumed with another version of anything still has the same finals.
    assert first.rows("final-val")[:8].tolist() == [0, 3, 9, 11, 15, 18, 19, 22]


def test_rows_of_a_store_held_back_are_the_searchs_and_the_finals(digits_store):
    summary = digits_store.summary.model_copy(update={"finals": FinalsValidation(source="held back")})
    store = Store(summary, digits_store.images, digits_store.labels)
    assert sorted([*store.rows("val"), *store.rows("final-val")]) == digits_store.rows("val").tolist()
    assert store.rows("final-train").tolist() == store.rows("train").tolist()
    assert store.rows("trainval").tolist() == digits_store.rows("trainval").tolist()


def test_a_final_trains_whitens_and_weighs_by_its_own_split(place, tmp_path, monkeypatch):
    monkeypatch.setattr(whitening, "_FILTERS", {})
    config = TrialConfig(width=8, depth=1, batch_size=64, balance="loss")
    runs = {
        kind: TrialRun(
            Assignment(trial=kind, kind=kind, config=config, seed=1, max_epochs=1, folder=str(tmp_path)), place
        )
        for kind in ("search", "final", "winner")
    }
    store = place.store
    assert runs["search"].rows.tolist() == runs["search"].batches.rows.tolist() == store.rows("train").tolist()
    assert runs["final"].rows.tolist() == runs["final"].batches.rows.tolist() == store.rows("final-train").tolist()
    assert runs["winner"].rows.tolist() == store.rows("trainval").tolist()
    assert {key[1] for key in whitening._FILTERS} == {"train", "final-train"}
    first, second = whitening._FILTERS.values()
    assert not np.allclose(first, second)
    assert runs["final"].train_epoch().score > 0


def test_a_search_goes_on_with_the_finals_it_was_begun_with(tmp_path, digits):
    spec = make_spec(name="s", results=str(tmp_path))
    assert with_recorded_validation(digits, spec.folder) == digits, "nothing was begun"
    spec.folder.mkdir()
    older = digits.model_dump()
    del older["finals"]
    save_record(spec.folder, spec, {"data": older})
    found = with_recorded_validation(digits, spec.folder)
    assert found.finals == FinalsValidation(source="reused", images=digits.val, search_images=digits.val)
    save_record(spec.folder, spec, {"data": json.loads(digits.model_dump_json())})
    assert recorded_validation(spec.folder) == digits.finals


def test_it_is_said_which_images_they_were(tmp_path, digits):
    assert format_validation(digits.finals) == (
        f"finals validation: {digits.val} images drawn anew from the search's training images"
    )
    held = FinalsValidation(source="held back", images=500, search_images=503)
    assert "500 images of the given validation split, kept out of the search" in describe_data(
        digits.model_copy(update={"finals": held})
    )
    import optuna

    study = create_study(make_spec(name="s", results=str(tmp_path)), optuna.samplers.RandomSampler())
    assert read_validation(study) is None
    write_study_attribute(study, "finalists", [{}])
    assert "still flatter" in format_validation(read_validation(study) or FinalsValidation())


CONFIGS = 64
"""Configurations, all as good as each other: about 93 % right."""


def simulated_search(seed):
    """Mean re-score of the best 3 of equal configurations less the truth: on the search's images, on the finals'.

    Each configuration has images that it likes and others that it does not, whatever the seed; a seed adds its own.
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(1_500, np.int64)
    labels[::2] = 1
    split = Partition.from_labels(labels, 1_250, "drawn")
    easiness = 3 * rng.normal(size=1_500) + 6.6
    liked = easiness + 2 * rng.normal(size=(CONFIGS, 1_500))

    def train(config):
        said = np.where(liked[config] + rng.normal(size=1_500) > 0, labels, 1 - labels)
        return np.eye(2, dtype=np.float32)[said]

    def score(said, rows):
        return (said[rows].argmax(axis=1) == labels[rows]).mean()

    best = np.argsort([-score(train(config), split.val) for config in range(CONFIGS)])[:3]
    trained = {config: [train(config) for _ in range(3)] for config in best.tolist()}
    biases = []
    for rows in (split.val, split.final_val):
        contenders = [
            FinalistPredictions((config,), None, True, {i: each[rows] for i, each in enumerate(found)}, 0, 1.0)
            for config, found in trained.items()
        ]
        finalists = select_winner("accuracy", contenders, labels[rows])
        others = np.setdiff1d(np.arange(1_500), np.concatenate([split.val, split.final_val]))
        truth = np.mean([score(each, others) for found in trained.values() for each in found])
        biases.append(np.mean([finalist.score for finalist in finalists]) - truth)
    return biases


def test_re_scores_on_fresh_images_are_not_optimistic():
    reused, fresh = np.mean([simulated_search(seed) for seed in range(40)], axis=0)
    assert reused > 0.005, "fresh seeds alone leave what the images gave"
    assert abs(fresh) < 0.004
