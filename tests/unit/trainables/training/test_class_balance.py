"""Classes of few images: weights in the loss, draws in the plan, the hyperparameter, and whole trainings with both."""

import numpy as np
import optuna
import pytest
import torch

from searchspace.preparation.first_trials import first_trials
from searchspace.preparation.prepare_data import describe_data
from searchspace.spaces import Task, default_space, draw_config
from tests.helpers.class_balance import NETWORKS, one_thread_fp32, place_of, train  # noqa: F401  # a fixture
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import Mixing, PlannedBatch, draw_balanced, epoch_plan
from trainables.data.loading.input_loader import InMemoryLoader
from trainables.data.store.store import prepare_data
from trainables.training.batches import TrainingBatches
from trainables.training.loss_weights import class_weights

COUNTS = (400, 90, 12, 0, 3)
"""Images of each class; one does not occur."""
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), COUNTS))


def test_weights_are_inverse_to_frequency_and_one_on_average():
    weights = class_weights(torch.from_numpy(LABELS))
    assert weights[LABELS].mean().item() == pytest.approx(1.0)
    assert weights[3] == 0
    shares = np.array(COUNTS) * weights.numpy()
    assert shares[[0, 1, 2, 4]] == pytest.approx(np.full(4, len(LABELS) / 4)), "each class has the same say"


def test_balanced_classes_weigh_one():
    assert torch.equal(class_weights(torch.arange(12) % 4), torch.ones(4))


def batches(balance, smoothing=0.1) -> TrainingBatches:
    inputs = torch.zeros(len(LABELS), 5)
    data = InMemoryLoader(labels=torch.from_numpy(LABELS), inputs=inputs)
    config = TrialConfig(balance=balance, label_smoothing=smoothing)
    return TrainingBatches(config, data, np.arange(len(LABELS)), None)


def batch_of(rows, total) -> PlannedBatch:
    return PlannedBatch(rows, np.roll(rows, 1), *[np.zeros((len(rows), 13), np.float32)] * 2, total, 1.0, (0.0,) * 4)


def by_hand(logits, labels, partners, share):
    """Gradient of the weighted, smoothed, mixed loss: weight x (softmax - smoothed target), for each image."""
    weights = len(LABELS) / 4 / np.maximum(np.array(COUNTS), 1) * (np.array(COUNTS) > 0)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def pull(targets):
        return weights[targets][:, None] * (softmax - (0.9 * np.eye(5)[targets] + 0.1 / 5))

    return share * pull(labels) + (1 - share) * pull(partners)


@pytest.mark.parametrize("share", [1.0, 0.3], ids=["plain", "mixed"])
@pytest.mark.parametrize("micro_batch", [64, 10])
def test_gradients_of_the_weighted_loss_are_those_by_hand(share, micro_batch):
    rows = np.random.default_rng(1).choice(len(LABELS), 64, replace=False)
    logits = torch.randn(64, 5, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    batch, weighted = batch_of(rows, 64), batches("loss")
    for start in range(0, 64, micro_batch):
        part = slice(start, start + micro_batch)
        weighted.loss(logits[part], batch, part, share).backward()
    expected = by_hand(logits.detach().numpy(), LABELS[rows], LABELS[np.roll(rows, 1)], share)
    assert logits.grad.numpy() == pytest.approx(expected, abs=1e-5)


def test_an_epochs_weighted_loss_is_that_of_a_balanced_set():
    """The same answer for all images of a class: the mean weighted loss is the classes' mean loss."""
    answers = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    logits, rows = answers[LABELS], np.arange(len(LABELS))
    found = batches("loss").loss(logits, batch_of(rows, len(rows)), slice(None), 1.0) / len(rows)
    each = torch.nn.functional.cross_entropy(answers, torch.arange(5), reduction="none", label_smoothing=0.1)
    assert found.item() == pytest.approx(each[[0, 1, 2, 4]].mean().item(), rel=1e-5)
    plain = batches("none").loss(logits, batch_of(rows, len(rows)), slice(None), 1.0) / len(rows)
    assert plain.item() != pytest.approx(found.item(), rel=0.01)


def test_balanced_draws_take_every_class_alike_and_every_image_as_evenly_as_can_be():
    drawn = draw_balanced(LABELS, np.random.default_rng(5))
    assert len(drawn) == len(LABELS)
    counts = np.bincount(LABELS[drawn], minlength=5)
    assert counts[3] == 0
    assert np.ptp(counts[[0, 1, 2, 4]]) <= 1
    for label in (0, 1, 2, 4):
        times = np.bincount(drawn, minlength=len(LABELS))[label == LABELS]
        assert np.ptp(times) <= 1, label
    assert not np.array_equal(np.sort(drawn), np.sort(draw_balanced(LABELS, np.random.default_rng(6))))


def test_a_balanced_set_is_drawn_whole():
    labels = np.arange(60) % 6
    assert sorted(draw_balanced(labels, np.random.default_rng(0))) == list(range(60))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_balanced_epochs_are_as_long_mixed_through_and_the_same_for_any_workers(world):
    mixing = Mixing(cutmix=1.0, alternate=True, balanced=LABELS)
    whole = list(epoch_plan(len(LABELS), 64, 3, 1, mixing))
    shards = [list(epoch_plan(len(LABELS), 64, 3, 1, mixing, (rank, world))) for rank in range(world)]
    assert sum(batch.total for batch in whole) == len(LABELS)
    assert len(whole) == len(list(epoch_plan(len(LABELS), 64, 3, 1, Mixing())))
    for i, batch in enumerate(whole):
        assert {0, 1, 2, 4} == set(LABELS[batch.rows])
        for rank, shard in enumerate(shards):
            for name in ("rows", "partners", "draws"):
                assert np.array_equal(getattr(shard[i], name), getattr(batch, name)[rank::world])


def test_sampling_changes_no_plan_but_its_own():
    config = TrialConfig(mixup=0.2, flip="alternating")
    assert Mixing.from_config(config, LABELS) == Mixing(0.2, 0.0, True, None)
    assert Mixing.from_config(config.model_copy(update={"balance": "loss"}), LABELS).balanced is None
    assert Mixing.from_config(config.model_copy(update={"balance": "sampling"}), LABELS).balanced is LABELS


@pytest.fixture(scope="module")
def uneven(cache, tmp_path_factory):
    """Two shades that overlap, one of them with ten times the images to learn from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        root = tmp_path_factory.mktemp("uneven")
        rng = np.random.default_rng(0)
        from PIL import Image

        for part, name, count, level in (
            ("train", "dark", 500, 110), ("train", "light", 50, 142),
            ("val", "dark", 150, 110), ("val", "light", 100, 142),
            ("test", "dark", 10, 110), ("test", "light", 10, 142),
        ):  # fmt: skip
            folder = root / "set" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(rng.normal(level + rng.normal(0, 12), 20, (8, 8, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
        return prepare_data(str(root / "set"))


def test_training_images_are_counted_by_class(uneven, digits, digits_store):
    assert uneven.counts == (500, 50)
    assert uneven.imbalance == 10
    labels = digits_store.labels[digits_store.rows("train")]
    assert digits.counts == tuple(np.bincount(labels))
    assert digits.imbalance < 1.5
    assert "unbalanced" not in describe_data(digits)
    assert "unbalanced: 50 to 500 training images a class" in describe_data(uneven)


def test_the_default_space_balances_only_what_is_unbalanced(uneven, digits):
    def found(data, pins=None):
        task = Task(data=data, models=("convnet",), pretrained=frozenset(), gpu=False)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        asked = [study.ask() for _ in range(30)]
        return {draw_config(default_space, trial, task, pins or {}).balance for trial in asked}, asked[0].params

    assert found(uneven)[0] == {"none", "loss", "sampling"}
    assert found(uneven, {"balance": "none"})[0] == {"none"}
    assert found(digits)[0] == {"none"}
    assert "balance" not in found(digits)[1]


@pytest.mark.parametrize(
    ("metric", "first"),
    [("accuracy", "none"), ("log_loss", "none"), ("balanced_accuracy", "sampling"), ("f1_macro", "sampling")],
)
def test_the_first_trials_balance_where_every_class_counts_alike(uneven, digits, metric, first):
    models = ("convnet", "tf_efficientnet_lite0")
    starts = {
        data.name: first_trials(
            default_space,
            Task(data=data, models=models, pretrained=frozenset({models[1]}), gpu=False, metric=metric),
            {},
        )
        for data in (uneven, digits)
    }
    assert [start.get("balance") for start in starts[uneven.name]] == [first] * 3
    assert not any("balance" in start for start in starts[digits.name])


@pytest.mark.usefixtures("one_thread_fp32")
def test_a_trial_is_scored_by_its_metric(digits, tmp_path):
    place = place_of(digits)
    config = NETWORKS["convnet"]
    by_metric = {
        metric: train(place, tmp_path / metric, config, metric=metric, max_epochs=1)[0]
        for metric in ("accuracy", "balanced_accuracy", "f1_macro", "log_loss")
    }
    assert len({(report.accuracy, report.val_loss) for report in by_metric.values()}) == 1, "the same training"
    assert by_metric["accuracy"].score == by_metric["accuracy"].accuracy
    assert by_metric["log_loss"].score == -by_metric["log_loss"].val_loss
    assert len({report.score for report in by_metric.values()}) == 4
