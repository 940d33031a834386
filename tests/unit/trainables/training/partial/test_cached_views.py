"""Training above a cut, on cached activations: equal to the whole network, whole again at the end, and resumable."""

import numpy as np
import pytest
import torch

from tests.helpers.training import assignment, train, weights
from trainables.augmentation.augmentation_registry import DRAW_COLUMNS
from trainables.config import TrialConfig
from trainables.export.weights import read_classifier
from trainables.models.build_model import build_model
from trainables.training.evaluation import forward
from trainables.training.loop import TrialRun
from trainables.training.partial import activations
from trainables.training.partial.cached_views import (
    choose_views,
    needed_views,
    scored_views,
    trained_views,
    view_inputs,
    views_are_cached,
)
from trainables.training.partial.trained_part import cut_part
from trainables.training.profiling import probe_trial
from trainables.training.snapshot import take_snapshot
from trainables.training.trial_outputs import write_weights

LOWER = TrialConfig(model="tf_efficientnet_lite0", freeze="lower", input_size=32, head_lr=1e-2, batch_size=32)
VIEWS = LOWER.model_copy(update={"flip": "random", "cached_views": 1, "tta": True})
HEAD = VIEWS.model_copy(update={"freeze": "all"})


def test_views_by_configuration():
    assert views_are_cached(LOWER)
    assert views_are_cached(VIEWS)
    assert not views_are_cached(LOWER.model_copy(update={"augment_strength": 0.1}))
    assert not views_are_cached(LOWER.model_copy(update={"freeze": "stem"}))
    assert (trained_views(LOWER), scored_views(LOWER), needed_views(LOWER)) == ((0,), (0,), (0,))
    assert (trained_views(VIEWS), scored_views(VIEWS), needed_views(VIEWS)) == ((0, 1, 2), (0, 1), (0, 1, 2))
    assert needed_views(LOWER.model_copy(update={"tta": True})) == (0, 1)


def test_each_view_is_as_likely():
    draws = np.zeros((3000, len(DRAW_COLUMNS)), np.float32)
    draws[:, DRAW_COLUMNS["view"]] = np.random.default_rng(0).random(3000)
    assert np.bincount(choose_views(VIEWS, draws), minlength=3).min() > 900


def test_a_random_view_depends_on_its_number_and_the_row_alone(few):
    preprocess = build_model(LOWER, few.store.summary).preprocess
    two, one, other = (
        view_inputs(preprocess, few.store, np.array(rows), view, torch.device("cpu"))
        for rows, view in (([5, 9], 2), ([9], 2), ([9], 3))
    )
    assert torch.equal(two[1], one[0])
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("config", [VIEWS, HEAD], ids=["upper layers", "head"])
def test_cached_activations_are_those_of_the_frozen_part(few, tmp_path, config):
    run = TrialRun(assignment(tmp_path, config), few)
    part, lower = cut_part(run.model, config, few)
    rows = np.array([7, 3, 90])
    for index, view in enumerate(part.views):
        found = run.data.load(rows + index * len(few.store.labels))
        assert torch.allclose(found, lower.compute(rows, view).float(), rtol=2e-3, atol=1e-2), "one digit of float16"
    mixed = run.data.load(np.array([7, 3 + len(few.store.labels)]))
    assert torch.equal(mixed[0], run.data.load(rows[:1])[0])
    assert torch.equal(mixed[1], run.data.load(rows[1:2] + len(few.store.labels))[0])


@pytest.mark.parametrize("config", [VIEWS, HEAD], ids=["upper layers", "head"])
def test_the_part_scores_as_the_whole_network(few, tmp_path, config):
    run = TrialRun(assignment(tmp_path, config, max_epochs=1), few)
    train(run)
    rows = few.store.rows("val")[:16]
    run.model.load_state_dict(weights(run))
    with torch.inference_mode():
        whole = forward(run.model.eval(), torch.from_numpy(few.store.images[rows]))
        part = forward(run.averaged.eval(), run.evaluation_inputs().of(rows))
    assert torch.allclose(whole, part, atol=2e-2), "as far as float16 goes"


def test_the_winner_that_is_kept_is_whole_and_is_the_one_that_was_evaluated(few, tmp_path):
    task = assignment(tmp_path, VIEWS, kind="winner", max_epochs=1)
    run = TrialRun(task, few)
    train(run)
    write_weights(tmp_path, task, run)
    classifier, _ = read_classifier(tmp_path, torch.device("cpu"))
    rows = few.store.rows("val")[:16]
    with torch.inference_mode():
        whole = forward(classifier.eval(), torch.from_numpy(few.store.images[rows])).softmax(dim=1)
        part = forward(run.averaged.eval(), run.evaluation_inputs().of(rows)).softmax(dim=1)
    assert torch.allclose(whole, part, atol=1e-2), "as far as float16 goes"


def test_without_room_on_the_disk_the_same_is_trained(few, tmp_path, monkeypatch):
    config = VIEWS.model_copy(update={"cached_views": 0, "tta": False})
    cached = train(TrialRun(assignment(tmp_path / "a", config, max_epochs=1), few))
    monkeypatch.setattr(activations, "DISK_SHARE", 0.0)
    monkeypatch.setattr(activations, "is_known", lambda _lower, _view: False)
    run = TrialRun(assignment(tmp_path / "b", config, max_epochs=1), few)
    assert run.data.views == (0, 1), "computed each time"
    (report,) = train(run)
    assert report.train_loss == pytest.approx(cached[0].train_loss, rel=1e-3)
    assert report.val_loss == pytest.approx(cached[0].val_loss, rel=1e-2)


def test_what_is_frozen_stays_and_a_killed_trial_ends_alike(few, tmp_path):
    whole = TrialRun(assignment(tmp_path / "whole", VIEWS, max_epochs=2), few)
    before = build_model(VIEWS, few.store.summary).state_dict()
    reports = train(whole)
    first = TrialRun(assignment(tmp_path / "killed", VIEWS, max_epochs=2), few)
    first.train_epoch()
    first.save()
    first.close()
    second = TrialRun(assignment(tmp_path / "killed", VIEWS, max_epochs=2), few)
    assert second.epochs == 1
    assert train(second)[-1].val_loss == reports[-1].val_loss
    lower = {name for name in before if name.startswith(("network.trunk.conv_stem", "network.trunk.blocks.3"))}
    assert lower
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(second)[name]), name
        assert torch.equal(tensor, before[name]) or name not in lower, name
    kept = {name for name in take_snapshot(whole).tensors if name.startswith("weights.")}
    assert len(kept) == len(whole.learner.state_dict()) < len(whole.model.state_dict()), "only what trains is kept"


def test_a_probe_of_the_time_leaves_no_activations(few, tmp_path):
    config = LOWER.model_copy(update={"input_size": 40, "flip": "random"})
    timing = probe_trial(assignment(tmp_path, config, kind="probe"), few)
    assert timing.once_seconds > 0
    assert timing.features_mb > 0
    run = TrialRun(assignment(tmp_path, config), few)
    assert probe_trial(assignment(tmp_path, config, kind="probe"), few).once_seconds == 0
    assert run.part.views == (0, 1)
