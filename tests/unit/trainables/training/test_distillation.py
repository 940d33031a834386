"""Distillation on real digits: the loss, the views that teacher and student share, and a student in training."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.training import CONVNET, assignment, train, weights, write_teacher
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import Mixing, epoch_plan
from trainables.export.model_info import InputSpec, ModelInfo
from trainables.export.weights import read_classifier, write_ensemble
from trainables.models.classifier import Classifier, Network
from trainables.models.preprocess import Preprocess
from trainables.training import distillation
from trainables.training.batches import TrainingBatches
from trainables.training.distillation import Teacher, divergence
from trainables.training.loop import TrialRun

STRONG = {"augment_strength": 0.8, "flip": "random", "mixup": 0.2, "cutmix": 1.0}


@pytest.fixture
def teacher(tmp_path, place) -> Path:
    return write_teacher(tmp_path / "teacher", place)


def test_a_student_that_says_the_same_has_nothing_to_learn():
    answers = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)) * 3
    logits = (answers + 7).requires_grad_()  # the same probabilities
    loss = divergence(logits, answers)
    assert loss.shape == (6,)
    assert loss.abs().max() < 1e-4
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert gradient.abs().max() < 1e-5


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_pulls_a_student_to_what_its_teacher_says(temperature):
    generator = torch.Generator().manual_seed(0)
    answers, logits = torch.randn(4, 10, generator=generator) * 3, torch.zeros(4, 10, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=1.0)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = divergence(logits, answers, temperature).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 100
    assert torch.allclose(logits.softmax(dim=1), answers.softmax(dim=1), atol=0.05)


def test_gradients_keep_their_size_at_any_temperature():
    """At a high one, they are differences of logits over the number of classes (arXiv:1503.02531, section 2.1)."""
    logits, answers = torch.tensor([[2.0, -1.0, -1.0]], requires_grad=True), torch.tensor([[0.0, 1.0, -1.0]])
    (gradient,) = torch.autograd.grad(divergence(logits, answers, 1000.0).sum(), logits)
    assert torch.allclose(gradient, (logits - answers) / 3, atol=1e-2)


def losses(run: TrialRun, moved: bool = False) -> float:
    """Mean loss over an epoch's batches; `moved` has the student see them shifted by another draw."""
    config, total = run.assignment.config, 0.0
    for batch in epoch_plan(
        len(run.rows), config.batch_size, 3, 0, Mixing.from_config(config, run.context.store.labels)
    ):
        wanted, part = run.data.load(run.rows[batch.needed_rows]), slice(None)
        inputs, share = run.batches.inputs(batch, wanted, part)
        shown = dataclasses.replace(batch, draws=batch.draws[::-1].copy()) if moved else batch
        answers = run.teacher.logits(shown, part, wanted, run.batches.inputs(shown, wanted, part)[0])
        with torch.no_grad():
            each = divergence(run.module(inputs), answers)
        total += float(run.batches.sum_weighted(each, batch, part, share))
    return total / len(run.rows)


@pytest.mark.parametrize("views", [STRONG, {"flip": "alternating"}], ids=["augmented and mixed", "mirrored"])
def test_a_student_with_its_teachers_weights_agrees_on_every_view(place, teacher, tmp_path, views):
    config = CONVNET.model_copy(update={"batch_norm": False, **views})
    run = TrialRun(assignment(tmp_path / "student", config, teacher=str(teacher)), place)
    run.model.load_state_dict(read_classifier(teacher)[0].state_dict())
    run.module.train()
    assert losses(run) == pytest.approx(0.0, abs=1e-5)
    assert losses(run, moved=True) > 0.5, "views that differ would show"


class Slope(nn.Module):
    """Tells how much brighter an image is on its left than on its right, and at its top than at its bottom."""

    def forward(self, images):
        half = images.shape[-1] // 2
        across = images[..., :half].mean(dim=(1, 2, 3)) - images[..., half:].mean(dim=(1, 2, 3))
        down = images[..., :half, :].mean(dim=(1, 2, 3)) - images[..., half:, :].mean(dim=(1, 2, 3))
        return torch.stack([across, down, *[torch.zeros_like(down)] * 8], dim=1)


def test_a_teacher_of_another_size_and_normalisation_sees_the_same_view(place, tmp_path, monkeypatch):
    data = place.store.summary
    spec = InputSpec(side=24, channels=3, mean=(0.5, 0.4, 0.3), std=(0.25, 0.25, 0.25))
    model = Classifier(Preprocess(spec), Network(Slope(), nn.Identity(), [])).eval()
    card = ModelInfo(config=CONVNET, seed=0, epochs=1, data=data, input=spec)
    monkeypatch.setattr(distillation, "read_classifier", lambda *_: (model, card))
    config = TrialConfig(**STRONG)
    own = Preprocess(InputSpec(side=8, channels=1, mean=data.mean, std=data.std))
    batches = TrainingBatches(config, place.images, place.store.rows("train"), own)
    batch = next(iter(epoch_plan(len(batches.rows), 256, 0, 0, Mixing(0.2, 1.0))))
    wanted, part = place.images.load(batches.rows[batch.needed_rows]), slice(0, 200)
    inputs, _ = batches.inputs(batch, wanted, part)
    said = Teacher(tmp_path, place, batches).logits(batch, part, wanted, inputs)
    said = said[:, :2] - said[:, 2:3]
    seen = Slope()(inputs * own.std)[:, :2] / spec.std[0]
    assert np.corrcoef(said.flatten(), seen.flatten())[0, 1] > 0.98
    unseen = Slope()(own(place.images.load(batches.rows[batch.rows[part]])) * own.std)[:, :2] / spec.std[0]
    assert np.corrcoef(said.flatten(), unseen.flatten())[0, 1] < 0.9, "what it sees is augmented"


def test_a_student_learns_what_its_teacher_says_and_not_the_labels(place, teacher, tmp_path):
    classifier, _ = read_classifier(teacher)
    linear = classifier.network.head[1]
    with torch.no_grad():  # from here on it calls each digit by the next one's name
        linear.weight.copy_(linear.weight.roll(1, dims=0))
        linear.bias.copy_(linear.bias.roll(1))
    from safetensors.torch import save_file

    save_file(classifier.state_dict(), teacher / "model.safetensors")
    run = TrialRun(assignment(tmp_path / "student", kind="final", teacher=str(teacher)), place)
    reports = train(run)
    assert reports[-1].train_loss < reports[0].train_loss / 2
    assert reports[-1].score < 0.1
    rows = place.store.rows("val")
    with torch.inference_mode():
        called = run.model.eval()(torch.from_numpy(place.store.images[rows])).argmax(dim=1).numpy()
    assert ((place.store.labels[rows] + 1) % 10 == called).mean() > 0.9


def test_an_ensemble_teaches_the_mean_of_what_its_members_say(place, tmp_path):
    for index in range(2):
        write_teacher(tmp_path / "both" / "members" / str(index), place, width=8 + 8 * index)
    write_ensemble(tmp_path / "both", 2)
    run = TrialRun(assignment(tmp_path, CONVNET.model_copy(update=STRONG), teacher=str(tmp_path / "both")), place)
    batch = next(iter(epoch_plan(len(run.rows), 64, 0, 0, Mixing(0.2, 1.0))))
    wanted, part = run.data.load(run.rows[batch.needed_rows]), slice(0, 20)
    inputs, _ = run.batches.inputs(batch, wanted, part)
    said = run.teacher.logits(batch, part, wanted, inputs).softmax(dim=1)
    members = [read_classifier(tmp_path / "both" / "members" / str(index))[0] for index in range(2)]
    with torch.no_grad():
        each = [member.network(inputs).softmax(dim=1) for member in members]
    assert torch.allclose(said, sum(each) / 2, atol=1e-5)


def test_a_teacher_changes_nothing_of_how_its_student_begins(place, teacher, tmp_path):
    config = CONVNET.model_copy(update={"dropout": 0.2})
    states = []
    for folder, taught in (("alone", ""), ("taught", str(teacher))):
        run = TrialRun(assignment(tmp_path / folder, config, teacher=taught), place)
        states.append((weights(run), torch.get_rng_state()))
    (alone, draws), (taught, same) = states
    assert torch.equal(draws, same)
    assert all(torch.equal(alone[name], taught[name]) for name in alone)


def test_a_teacher_of_other_classes_is_refused(place, teacher, tmp_path):
    card = ModelInfo.model_validate_json((teacher / "model.json").read_text())
    other = card.data.model_copy(update={"classes": tuple("abcdefghij")})
    (teacher / "model.json").write_text(card.model_copy(update={"data": other}).model_dump_json())
    with pytest.raises(ValueError, match="has other classes than digits"):
        TrialRun(assignment(tmp_path, teacher=str(teacher)), place)
