"""Averaged weights and their batch norm statistics, against sums by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.models.build_model import build_model
from trainables.models.classifier import Network
from trainables.training.batchnorm_recalibration import recalibrate
from trainables.training.evaluation import EvaluationInputs
from trainables.training.weight_averaging import WeightAveraging
from trainables.workers.worker_context import ProcessGroup

CPU = ProcessGroup(0, 1, torch.device("cpu"))


def test_each_step_weighs_by_the_third_power_of_its_number():
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    average = WeightAveraging(module)
    seen = []
    for _ in range(20):
        module.weight.data.normal_()
        average.update()
        seen.append(module.weight.detach().clone())
    steps = torch.arange(1.0, 21.0)
    weights = steps * (steps + 1) * (steps + 2)
    wanted = (torch.stack(seen) * weights[:, None, None]).sum(dim=0) / weights.sum()
    assert torch.allclose(average.module.weight, wanted, atol=1e-6)
    assert weights[-4:].sum() / weights.sum() > 0.5, "the last fifth counts for more than all before"


def test_an_average_goes_on_from_its_state():
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    whole, cut = WeightAveraging(module), WeightAveraging(module)
    for step in range(6):
        module.weight.data.normal_()
        whole.update()
        cut.update()
        if step == 2:
            state = {name: tensor.clone() for name, tensor in cut.state_dict().items()}
            cut = WeightAveraging(module)
            cut.load_state_dict(state)
    assert torch.equal(whole.module.weight, cut.module.weight)


def test_what_does_not_learn_is_shared():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    average = WeightAveraging(module)
    module[1].running_mean.fill_(3.0)
    module[2].weight.data.add_(1.0)
    average.update()
    assert average.module[0].weight is module[0].weight, "no copy is kept of what does not learn"
    assert torch.equal(average.module[2].weight, module[2].weight)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert module[2].weight.requires_grad
    assert average.module[1].running_mean.sum() == 0, "buffers are taken over when weights are evaluated"
    average.copy_buffers()
    assert average.module[1].running_mean.tolist() == [3.0, 3.0]


def inputs_of(images: torch.Tensor) -> EvaluationInputs:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return EvaluationInputs(
        lambda rows: images[torch.from_numpy(rows)], lambda rows: labels[torch.from_numpy(rows)], 8, 2
    )


def test_statistics_are_those_of_the_images():
    torch.manual_seed(0)
    images = torch.randn(16, 1, 4, 4) * 3 + 5
    norm = nn.BatchNorm2d(1)
    norm.running_mean.fill_(-7.0)
    network = Network(nn.Sequential(norm, nn.Flatten()), nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 2)), [])
    state = torch.get_rng_state()
    recalibrate(network, inputs_of(images), np.array_split(np.arange(16), 2), CPU)
    assert norm.running_mean.item() == pytest.approx(images.mean().item(), rel=1e-5)
    halves = [images[:8].var().item(), images[8:].var().item()]
    assert norm.running_var.item() == pytest.approx(sum(halves) / 2, rel=1e-5)
    assert norm.momentum == 0.1
    assert not any(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), state), "dropout has no part in it"


def test_what_is_frozen_keeps_its_statistics():
    frozen, learning = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    network = Network(nn.Sequential(frozen, learning, nn.Flatten()), nn.Linear(16, 2), [frozen])
    images = torch.randn(16, 1, 4, 4) + 5
    recalibrate(network, inputs_of(images), [np.arange(16)], CPU)
    assert frozen.running_mean.item() == 0.0
    assert learning.running_mean.item() == pytest.approx(images.mean().item(), rel=1e-3)


def test_a_network_without_batch_norm_is_not_run(digits: DataSummary):
    model = build_model(TrialConfig(width=8, batch_norm=False), digits)

    asked = []
    recalibrate(model.network, EvaluationInputs(asked.append, asked.append, 8, 10), [np.arange(4)], CPU)
    assert asked == [], "no image is needed"
