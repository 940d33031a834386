"""Fine-tuning that begins as a probe: at the probe's score, and the same after it was killed."""

from types import SimpleNamespace

import pytest
import torch

from tests.helpers.training import assignment, train, weights
from trainables.config import TrialConfig
from trainables.models.build_model import build_model
from trainables.models.layers import share_statistics
from trainables.training.evaluation import evaluate
from trainables.training.loop import TrialRun
from trainables.training.optimizers import LAYER_DECAY, make_optimizer
from trainables.training.partial import head_start
from trainables.training.start_training import start_training

PROBE = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs", input_size=32)
STARTED = PROBE.model_copy(
    update={"freeze": "lower", "head_solver": "gradient", "head_init": "probe", "backbone_lr": 1e-4, "head_lr": 1e-4}
)


def scored(run, rows):
    return evaluate(run.averaged, run.evaluation_inputs(), rows, run.context.group)


@pytest.fixture
def strong_l2(monkeypatch):
    """One L2 without a search for it, and one that is solved for in a few steps."""
    choice = SimpleNamespace(l2=1000.0, start=None)
    monkeypatch.setattr("trainables.training.closed_form.fit_head.choose_l2", lambda *_: choice)


@pytest.mark.usefixtures("strong_l2")
def test_it_begins_at_the_score_of_the_probe_and_is_killed_and_resumed_alike(few, tmp_path, monkeypatch):
    (probe,) = train(start_training(assignment(tmp_path / "probe", PROBE), few))
    whole = TrialRun(assignment(tmp_path / "whole", STARTED, max_epochs=2), few)
    start = scored(whole, few.store.rows("val"))
    assert start.accuracy == pytest.approx(probe.accuracy, abs=0.01)
    assert start.mean_loss == pytest.approx(probe.val_loss, rel=0.02)
    assert whole.train_epoch().val_loss < probe.val_loss
    whole.save_and_wait()
    monkeypatch.setattr(head_start, "fit_head", None)  # what is resumed needs no fit
    second = TrialRun(whole.assignment, few)
    assert (second.epochs, train(second)[-1].val_loss) == (1, whole.train_epoch().val_loss)
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(second)[name]), name


def test_later_layers_have_larger_rates(digits):
    network = build_model(STARTED, digits).network
    groups = make_optimizer(STARTED, network, pretrained=True).param_groups
    rates = [group["peak_lr"] for group in groups]
    trunk = [rate for rate in dict.fromkeys(rates) if rate != STARTED.head_lr or rate == max(rates)]
    assert rates[0] == STARTED.backbone_lr
    assert trunk[1] == pytest.approx(STARTED.backbone_lr * LAYER_DECAY)
    learnt = {id(p) for p in network.parameters() if p.requires_grad}
    assert sorted(learnt) == sorted(id(p) for group in groups for p in group["params"])


def test_batch_norms_keep_their_activations_where_workers_share_statistics(digits):
    network = build_model(STARTED.model_copy(update={"freeze": "none"}), digits).network.eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = network(images)
        after = share_statistics(network, torch.device("cuda", 0)).eval()(images)
    assert torch.allclose(before, after, atol=1e-4)
