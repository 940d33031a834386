"""Muon: the direction it takes, the size of its steps, and what it leaves to AdamW."""

import pytest
import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.models.build_model import build_model
from trainables.training.optimizers import Muon, make_optimizer, orthogonalize


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(16, 72), (64, 16), (32, 32), (1, 9)])
def test_directions_are_near_orthogonal(shape):
    matrix = noise(*shape)
    found = orthogonalize(matrix)
    assert found.shape == matrix.shape
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert nn.functional.cosine_similarity(found.flatten(), (left @ right).flatten(), dim=0) > 0.97


def test_a_gradients_size_does_not_matter_and_zero_gives_zero():
    matrix = noise(8, 20)
    assert torch.allclose(orthogonalize(matrix), orthogonalize(1024 * matrix), atol=1e-2)
    assert torch.equal(orthogonalize(torch.zeros(8, 20)), torch.zeros(8, 20))


@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (16, 72), (72, 16)])
def test_a_step_has_the_size_of_adamws(shape):
    sizes = {}
    for kind in (Muon, torch.optim.AdamW):
        param = nn.Parameter(torch.zeros(shape))
        group = {"params": [param], "lr": 0.01, "weight_decay": 0.0, "orthogonal": True}
        optimizer = Muon([group], 0.01, 0.9) if kind is Muon else kind([group])
        param.grad = noise(*shape)
        optimizer.step()
        sizes[kind] = float(param.detach().square().mean().sqrt())
    assert sizes[Muon] == pytest.approx(sizes[torch.optim.AdamW], rel=0.2)


def test_momentum_and_decay_are_what_they_say():
    param = nn.Parameter(torch.eye(4))
    optimizer = Muon([{"params": [param], "lr": 0.1, "weight_decay": 0.5, "orthogonal": True}], 0.1, 0.8)
    gradients = [noise(4, 4), noise(4, 4).T.contiguous()]
    for gradient in gradients:
        param.grad = gradient.clone()
        optimizer.step()
        assert param.grad is None
    buffer = 0.8 * gradients[0] + gradients[1]
    assert torch.allclose(optimizer.state[param]["momentum"], buffer, atol=1e-6)
    first = 0.95 * torch.eye(4) - 0.1 * 2 * orthogonalize(1.8 * gradients[0])
    assert torch.allclose(param, 0.95 * first - 0.1 * 2 * orthogonalize(gradients[1] + 0.8 * buffer), atol=1e-5)


def test_kernels_of_the_trunk_are_muons_and_the_rest_adamws(digits):
    network = build_model(TrialConfig(width=8, whiten=False), digits).network
    config = TrialConfig(optimizer="muon", lr=0.02, weight_decay=0.1)
    optimizer = make_optimizer(config, network, pretrained=False)
    for param in network.parameters():
        param.grad = torch.ones_like(param)
    learnt = [p for p in network.parameters() if p.requires_grad]
    optimizer.step()
    turned = {id(p) for p in learnt if "momentum" in optimizer.state[p]}
    assert turned == {id(p) for p in network.trunk.parameters() if p.ndim == 4}
    assert {id(p) for p in learnt if "exp_avg" in optimizer.state[p]} == {id(p) for p in learnt} - turned
    assert {g["weight_decay"] for g in optimizer.param_groups if g["params"][0].ndim == 1} == {0.0}
