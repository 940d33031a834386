"""Students in training: views that come again, workers that share a teacher, and one that was cut off."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.helpers.training import CONFIGS, CONVNET, assignment, train, train_with, weights, write_teacher
from trainables.training.distillation import Teacher
from trainables.training.loop import TrialRun


@pytest.fixture
def teacher(tmp_path, place) -> Path:
    return write_teacher(tmp_path / "teacher", place)


@pytest.mark.parametrize(
    ("config", "views"),
    [(CONVNET, 1), (CONVNET.model_copy(update={"flip": "alternating"}), 2), (CONFIGS["frozen backbone"], 1)],
    ids=["images", "mirrored images", "features"],
)
def test_views_that_come_again_are_answered_once(place, teacher, tmp_path, config, views, monkeypatch):
    looks = []
    look = Teacher._compute_logits
    monkeypatch.setattr(Teacher, "_compute_logits", lambda self, rows: (looks.append(len(rows)), look(self, rows))[1])
    run = TrialRun(assignment(tmp_path / "a", config, teacher=str(teacher)), place)
    reports = train(run)
    assert sum(looks) == views * len(run.rows)
    forgetful = TrialRun(assignment(tmp_path / "b", config, teacher=str(teacher)), dataclasses.replace(place, budget=0))
    again = train(forgetful)
    assert sum(looks) == (views + len(again)) * len(run.rows)
    assert [r.train_loss for r in again] == pytest.approx([r.train_loss for r in reports], rel=1e-3)


def test_a_student_that_was_cut_off_goes_on_to_the_same_end(place, teacher, tmp_path):
    def begin(folder: str) -> TrialRun:
        config = CONFIGS["everything"].model_copy(update={"balance": "loss"})
        return TrialRun(assignment(tmp_path / folder, config, kind="winner", teacher=str(teacher)), place)

    whole, first = begin("whole"), begin("cut")
    train(whole)
    first = begin("cut")
    first.train_epoch()
    first.save_and_wait()
    second = begin("cut")
    assert [report.epoch for report in train(second)] == [2, 3]
    assert all(torch.equal(tensor, weights(second)[name]) for name, tensor in weights(whole).items())


def test_two_workers_teach_what_one_does(teacher, tmp_path):
    config = CONVNET.model_copy(update={"lr": 1e-3, "batch_size": 63, "augment_strength": 0.2, "cutmix": 1.0})
    one, one_weights = train_with(1, config, tmp_path / "one", teacher=str(teacher))
    two, two_weights = train_with(2, config, tmp_path / "two", teacher=str(teacher))
    assert [r.train_loss for r in two] == pytest.approx([r.train_loss for r in one], rel=2e-3)
    for name, tensor in one_weights.items():
        assert torch.allclose(tensor, two_weights[name], atol=5e-3, rtol=5e-2), name
