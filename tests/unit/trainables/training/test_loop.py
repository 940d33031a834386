"""The training loop on real digits: one worker, two workers, checkpoints, out of memory."""

import dataclasses
import itertools
import threading

import pytest
import torch

from tests.helpers.training import CONFIGS, CONVNET, assignment, train, weights
from trainables.storage.files import write_file
from trainables.training import checkpoint as checkpoints
from trainables.training.checkpoint import INDEX, read_checkpoint
from trainables.training.evaluation import forward
from trainables.training.loop import TrialRun
from trainables.training.optimizers import schedule
from trainables.workers.worker_context import ProcessGroup


@pytest.fixture
def fp32(monkeypatch):
    """Full precision, for what must agree to more digits than bf16 has."""
    monkeypatch.setattr("trainables.training.device.uses_bf16", lambda _device: False)


@pytest.mark.parametrize("name", CONFIGS)
def test_three_epochs_learn_and_repeat_exactly(place, tmp_path, name):
    reports = train(TrialRun(assignment(tmp_path, CONFIGS[name]), place))
    again = train(TrialRun(assignment(tmp_path, CONFIGS[name]), place))
    assert reports[-1].status == "complete"
    assert reports[-1].score > (0.25 if name == "everything" else 0.6)
    assert reports[-1].train_loss < reports[0].train_loss
    assert [(r.score, r.val_loss, r.train_loss) for r in reports] == [
        (r.score, r.val_loss, r.train_loss) for r in again
    ]


@pytest.mark.usefixtures("fp32")
def test_frozen_features_give_what_the_whole_network_gives(place, tmp_path):
    run = TrialRun(assignment(tmp_path, CONFIGS["frozen backbone"], kind="winner"), place)
    assert run.data is not place.images, "features, not images"
    run.train_epoch()
    rows = place.store.rows("val")[:16]
    with torch.inference_mode():
        whole = forward(run.model.eval(), torch.from_numpy(place.store.images[rows]))
        cached = forward(run.learner.eval(), run.data.load(rows))
    assert torch.allclose(whole, cached, atol=1e-4)


def test_images_that_are_augmented_at_each_step_go_through_a_frozen_backbone(place, tmp_path):
    config = CONFIGS["frozen backbone"].model_copy(update={"augment_strength": 0.1})
    assert TrialRun(assignment(tmp_path, config), place).data is place.images


@pytest.mark.parametrize("name", ["everything", "speed run"])
def test_a_checkpoint_continues_to_the_same_end(place, tmp_path, name):
    config = CONFIGS[name]
    whole = TrialRun(assignment(tmp_path / "whole", config), place)
    train(whole)
    first = TrialRun(assignment(tmp_path / "cut", config), place)
    first.train_epoch()
    first.save()
    first.close()
    second = TrialRun(assignment(tmp_path / "cut", config), place)
    assert second.epochs == 1
    reports = train(second)
    assert [r.epoch for r in reports] == [2, 3]
    for tensor_name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(second)[tensor_name]), tensor_name


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no index", "torn index"])
def test_a_damaged_checkpoint_is_not_used(place, tmp_path, damage):
    run = TrialRun(assignment(tmp_path), place)
    run.train_epoch()
    run.save()
    run.close()
    file = next(run.folder.glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(content[:-10])
    elif damage == "flipped":
        content[-5] ^= 1
        file.write_bytes(content)
    elif damage == "no index":
        (run.folder / INDEX).unlink()
    else:
        (run.folder / INDEX).write_text('{"file": "epo')
    assert read_checkpoint(run.folder) is None
    assert TrialRun(assignment(tmp_path), place).epochs == 0


@pytest.mark.usefixtures("fp32")
def test_a_checkpoint_of_another_trial_of_that_name_is_not_taken_up(tmp_path, place):
    run = TrialRun(assignment(tmp_path), place)
    run.train_epoch()
    run.save_and_wait()
    other = run.assignment.model_copy(update={"seed": run.assignment.seed + 1})
    assert TrialRun(other, place).epochs == 0
    assert TrialRun(run.assignment.model_copy(update={"known": 1, "rungs": (1,)}), place).epochs == 1


def test_micro_batches_add_up_to_the_whole_batch(place, tmp_path):
    config = CONVNET.model_copy(update={"batch_norm": False})
    whole = TrialRun(assignment(tmp_path / "a", config, max_epochs=1), place)
    parts = TrialRun(assignment(tmp_path / "b", config, max_epochs=1, micro_batch=10), place)
    assert train(whole)[0].train_loss == pytest.approx(train(parts)[0].train_loss, rel=1e-4)
    for name, tensor in weights(whole).items():
        assert torch.allclose(tensor, weights(parts)[name], atol=1e-4), name


def test_the_learning_rate_rises_and_falls_in_straight_lines():
    factors = [schedule(step, 100, 0.2) for step in range(101)]
    assert factors[20] == 1.0
    assert factors[-1] == 0.0
    for slope, part in ((1 / 21, factors[:20]), (-1 / 80, factors[20:])):
        assert [b - a for a, b in itertools.pairwise(part)] == pytest.approx([slope] * (len(part) - 1))
    assert [schedule(step, 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_a_winner_trains_on_everything_but_the_test_split(place, tmp_path):
    run = TrialRun(assignment(tmp_path, kind="winner", max_epochs=1), place)
    assert len(run.rows) == place.store.summary.train + place.store.summary.val
    assert run.train_epoch().score == 0.0, "no validation images are left"


def test_a_batch_smaller_than_the_gang_is_refused(place, tmp_path):
    gang = dataclasses.replace(place, group=ProcessGroup(0, 8, torch.device("cpu")))
    with pytest.raises(
        ValueError, match="8 workers with batch_size 4: of 1298 training images, the smallest batch has 3"
    ):
        TrialRun(assignment(tmp_path, CONVNET.model_copy(update={"batch_size": 4})), gang)


def test_a_checkpoint_is_of_the_moment_it_was_asked_for(place, tmp_path, monkeypatch):
    run = TrialRun(assignment(tmp_path, CONFIGS["everything"]), place)
    run.train_epoch()
    then = weights(run)
    write, may = checkpoints.write_checkpoint, threading.Event()
    monkeypatch.setattr(checkpoints, "write_checkpoint", lambda *found: may.wait(100) and write(*found))
    run.save()
    run.train_epoch()  # goes on while the disk is slow
    may.set()
    run.close()
    resumed = TrialRun(assignment(tmp_path, CONFIGS["everything"]), place)
    assert resumed.epochs == 1
    for name, tensor in weights(resumed).items():
        assert torch.equal(tensor, then[name]), name


def test_a_disk_that_is_full_costs_a_checkpoint_and_no_trial(place, tmp_path):
    run = TrialRun(assignment(tmp_path), place)
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    run.folder.write_text("a file where the folder should be")
    run.save()
    run.close()
    assert "checkpoints" in run.trouble
    run.folder.unlink()
    run.train_epoch()
    run.save()
    run.close()
    assert run.trouble == ""
    assert TrialRun(assignment(tmp_path), place).epochs == 1


def test_a_rung_waits_for_a_disk_that_is_freed(place, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "RETRY_S", 0.05)
    run = TrialRun(assignment(tmp_path), place)
    run.train_epoch()
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    run.folder.write_text("a file where the folder should be")
    threading.Timer(0.2, run.folder.unlink).start()
    run.save_and_wait()
    assert run.trouble == ""
    assert TrialRun(assignment(tmp_path), place).epochs == 1


def test_a_disk_that_hangs_is_not_waited_for_between_rungs(place, tmp_path, monkeypatch):
    run, answers, begun = TrialRun(assignment(tmp_path), place), threading.Event(), []

    def write(path, content):
        begun.append(path.name)
        answers.wait()
        write_file(path, content)

    monkeypatch.setattr(checkpoints, "write_file", write)
    run.train_epoch()
    run.save()
    run.train_epoch()
    run.save()  # skipped, as the one before is still being written
    assert begun == ["epoch-00001.safetensors"]
    answers.set()
    run.close()
    run.train_epoch()
    run.save_and_wait()
    assert TrialRun(assignment(tmp_path), place).epochs == 3


def test_what_a_checkpoint_has_beyond_the_study_is_told_again(place, tmp_path):
    run = TrialRun(assignment(tmp_path), place)
    reports = [run.train_epoch() for _ in range(3)]
    run.save_and_wait()
    assert TrialRun(assignment(tmp_path), place).reports == reports
