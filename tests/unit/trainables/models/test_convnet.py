"""The convnet's parts: whitening, identity-like start, shapes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from trainables.config import TrialConfig
from trainables.data.store.store import Store
from trainables.models import whitening
from trainables.models.build_model import build_model
from trainables.models.whitening import Whitening, fit_whitening, whitening_filters


def first_layer(model):
    return next(m for m in model.modules() if isinstance(m, nn.Conv2d))


def test_whitening_takes_training_patches_to_unit_covariance(digits, digits_store):
    model = build_model(TrialConfig(), digits)
    fit_whitening(model, digits_store)
    layer = first_layer(model)
    assert isinstance(layer, Whitening)
    images = torch.from_numpy(digits_store.images[digits_store.rows("train")])
    with torch.inference_mode():
        found = layer(model.preprocess(images)).transpose(0, 1).flatten(1)
    half = len(found) // 2
    assert torch.allclose(found[:half], -found[half:], atol=1e-5)
    assert torch.allclose(torch.cov(found[:half]), torch.eye(half), atol=0.15)
    assert not layer.weight.requires_grad


def test_whitening_looks_at_no_validation_image(digits, digits_store, monkeypatch):
    monkeypatch.setattr(whitening, "_FILTERS", {})
    damaged = np.array(digits_store.images)
    damaged[digits_store.rows("val")] = 255
    models = [build_model(TrialConfig(), digits) for _ in range(2)]
    fit_whitening(models[0], digits_store)
    whitening._FILTERS.clear()
    fit_whitening(models[1], Store(digits, damaged, digits_store.labels))
    assert torch.equal(first_layer(models[0]).weight, first_layer(models[1]).weight)
    damaged[digits_store.rows("train")] //= 2
    whitening._FILTERS.clear()
    fit_whitening(models[1], Store(digits, damaged, digits_store.labels))
    assert not torch.equal(first_layer(models[0]).weight, first_layer(models[1]).weight)


def test_whitening_is_found_once_a_data_set_and_shape(digits, digits_store, monkeypatch):
    monkeypatch.setattr(whitening, "_FILTERS", {})
    for side in (0, 8, 16, 16):
        fit_whitening(build_model(TrialConfig(input_size=side), digits), digits_store)
    assert len(whitening._FILTERS) == 2


def test_whitened_filters_do_not_blow_up_directions_without_variance():
    patches = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    )
    filters = whitening_filters(patches)
    assert filters.shape == (6, 3)
    assert filters.abs().max() <= 1 / whitening.EPSILON**0.5 + 1e-3
    variances = torch.cov((patches @ filters.T).T).diag()[:3]
    assert torch.allclose(variances, torch.tensor([0.0, 1.0, 1.0]), atol=1e-2)


def test_a_learnt_first_layer_has_the_same_shape(digits):
    fixed, learnt = (first_layer(build_model(TrialConfig(whiten=on), digits)) for on in (True, False))
    assert fixed.weight.shape == learnt.weight.shape
    assert learnt.weight.requires_grad
    assert type(learnt) is nn.Conv2d


def test_convolutions_start_by_passing_their_input_on(digits):
    torch.manual_seed(0)
    model = build_model(TrialConfig(width=16, depth=2), digits)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)][1:]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(8, 16), (16, 16), (16, 64), (64, 64)]
    for convolution in convolutions:
        x = torch.rand(2, convolution.in_channels, 5, 5)
        passed = functional.conv2d(x, convolution.weight, padding=1)[:, : convolution.in_channels]
        assert torch.allclose(passed, x, atol=1e-6)
        assert all(convolution.weight[i].std() > 0 for i in range(convolution.out_channels)), "no filter is empty"


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 28), (3, 32), (3, 64), (3, 128), (3, 224)])
def test_any_image_gives_four_widths_of_features_from_a_small_map(digits, channels, side):
    shape = {"channels": channels, "height": side, "width": side, "mean": (0.5,) * channels, "std": (0.3,) * channels}
    model = build_model(TrialConfig(width=8, depth=3), digits.model_copy(update=shape)).eval()
    maps = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: maps.append(out.shape[-1]))
    assert model(torch.zeros(2, channels, side, side, dtype=torch.uint8)).shape == (2, 10)
    assert maps[0] <= 32
    assert maps[-1] in {3, 4}
    assert model.network.head[-1].in_features == 32
