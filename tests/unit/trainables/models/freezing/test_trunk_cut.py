"""Cuts of pretrained trunks: the same outputs, and gradients in the upper part only."""

import pytest
import torch

from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models.freezing.trunk_cut import MOST_BYTES, UPPER_SHARE, Cut, choose_cut, find_cuts, split_trunk
from trainables.models.pretrained import empty_backbone

CUTTABLE = [
    "tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2", "resnet18", "torchvision/resnet18",
]  # fmt: skip


@pytest.mark.parametrize("name", CUTTABLE)
def test_both_parts_give_together_what_the_trunk_gives(name):
    trunk, features, _ = empty_backbone(name)
    lower, upper = split_trunk(name, trunk.eval(), 64, 100)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole, parts = trunk(images), upper(lower(images))
    assert whole.shape == (3, features)
    assert torch.equal(whole, parts)
    cut = next(cut for cut in find_cuts(name, 64) if cut.index == len(lower))
    with torch.no_grad():
        assert lower(images)[0].numel() == cut.numbers
    assert 0.05 < cut.upper_share < 0.4


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "torchvision/densenet121"])
def test_a_trunk_that_is_no_sequence_is_refused(name):
    trunk, _, _ = empty_backbone(name)
    with pytest.raises(UserError, match=f"{name}: is no plain sequence of layers.*give freeze stem"):
        split_trunk(name, trunk, 224, 100)


def test_a_trunk_whose_layers_give_something_else_is_refused():
    """Shapes alone do not tell: here, a function between two layers."""
    trunk, _, _ = empty_backbone("resnet18")
    trunk.forward_head = lambda maps: trunk.global_pool(maps) * 2
    with pytest.raises(UserError, match="resnet18: is no plain sequence of layers"):
        split_trunk("resnet18", trunk, 64, 100)


def test_the_cut_is_the_one_whose_share_is_nearest_and_that_fits():
    cuts = [Cut(1, 1000, 0.9), Cut(2, 500, 0.3), Cut(3, 800, UPPER_SHARE), Cut(4, 100, UPPER_SHARE), Cut(5, 10, 0.0)]
    assert choose_cut(cuts, 10).index == 4, "of the same share, fewer numbers"
    assert choose_cut(cuts[:3], 10).index == 3
    assert choose_cut(cuts[:3], MOST_BYTES // 1300).index == 2, "the bytes of 800 numbers do not fit"
    assert choose_cut(cuts, MOST_BYTES).index == 5, "nothing fits: the least"


def test_what_is_below_the_cut_keeps_weights_and_statistics(digits):
    from trainables.models.build_model import build_model

    model = build_model(TrialConfig(model="tf_efficientnet_lite0", freeze="lower", input_size=64), digits)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.randint(0, 256, (4, digits.channels, digits.height, digits.width), dtype=torch.uint8)
    model.train()
    model(images).square().sum().backward()
    learnt = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learnt == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert "network.trunk.blocks.6.0.conv_pw.weight" in learnt
    assert not any(name.startswith(("network.trunk.conv_stem", "network.trunk.blocks.4")) for name in learnt)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), f"{name}: statistics moved"
