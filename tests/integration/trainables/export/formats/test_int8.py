"""Quantisation: small, nearly as good, and layers that it would ruin are left alone."""

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from trainables.export.formats.int8 import LabelledImages, quantize

SIDE = 8


class Uneven(nn.Module):
    """One of two channels is 10,000 times the other, which alone tells the classes: 8 bits cannot hold both."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 1, bias=False)
        self.second = nn.Conv2d(2, 2, 1, bias=False)
        self.others = nn.Sequential(*(nn.Conv2d(2, 2, 1) for _ in range(6)))
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([1e4, 1.0]).view(2, 1, 1, 1))
            self.second.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, -1.0]]).view(2, 2, 1, 1))
            for layer in self.others:
                nn.init.dirac_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        centred = images.float() / 255 - 0.5
        return self.others(self.second(self.first(centred))).mean(dim=(2, 3))


def traced(module: nn.Module) -> onnx.ModelProto:
    example = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    free = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(
        module.eval(), (example,), dynamo=True, opset_version=18, input_names=["x"], dynamic_shapes=free, verbose=False
    )
    return program.model_proto


@pytest.fixture(scope="module")
def uneven() -> onnx.ModelProto:
    return traced(Uneven())


@pytest.fixture
def examples() -> tuple[LabelledImages, LabelledImages]:
    """Images a little darker or lighter than the middle."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = 128 + (1 - 2 * labels)[:, None, None, None] * rng.integers(5, 30, (200, 1, SIDE, SIDE))
    images = images.astype(np.uint8)
    return LabelledImages({"x": images[:100]}, labels[:100]), LabelledImages({"x": images[100:]}, labels[100:])


def test_a_sensitive_layer_stays_in_float32(uneven, examples):
    ruined = quantize(copy.deepcopy(uneven), *examples, max_drop=100.0)
    assert ruined.kept == 0
    saved = quantize(copy.deepcopy(uneven), *examples, max_drop=0.3)
    assert 0 < saved.kept <= saved.layers // 2
    assert saved.lost <= 0.3
    assert ruined.lost > 10


def test_half_of_the_layers_at_most_stay(uneven, examples):
    found = quantize(copy.deepcopy(uneven), *examples, max_drop=-1.0)
    assert found.kept == found.layers // 2
