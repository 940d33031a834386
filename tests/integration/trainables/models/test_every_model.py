"""Every model of the registry, in training and rebuilt."""

import pytest
import torch

from tests.helpers.model_configs import CONFIGS, images
from trainables.config import TrialConfig
from trainables.models import pretrained
from trainables.models.build_model import build_model, rebuild_model
from trainables.models.efficientnet_lite import PACKAGED


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.model}-{c.depth}")
@pytest.mark.parametrize("channels", [1, 3])
def test_every_model_learns_on_any_shape(digits, config, channels):
    data = digits.model_copy(
        update={"channels": channels, "height": 20, "width": 30, "classes": ("a", "b", "c"),
                "mean": (0.3,) * channels, "std": (0.2,) * channels}
    )  # fmt: skip
    model = build_model(config, data)
    logits = model.train()(images(data))
    assert logits.shape == (4, 3)
    logits.sum().backward()
    learnt = [p for p in model.parameters() if p.requires_grad]
    assert learnt
    assert all(p.grad is not None for p in learnt)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.model}-{c.depth}")
def test_a_rebuilt_model_takes_the_weights(digits, config):
    model = build_model(config, digits).eval()
    again = rebuild_model(config, digits, model.preprocess.spec)
    again.load_state_dict(model.state_dict())
    with torch.inference_mode():
        assert torch.equal(model(images(digits)), again.eval()(images(digits)))


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenetv3_small_050", "convnext_atto"])
def test_timm_backbones_give_the_features_they_announce(name):
    trunk, features, _spec = pretrained.empty_backbone(name)
    assert trunk.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, features)


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v3_small", "efficientnet_b0"])
def test_torchvision_backbones_give_the_features_they_announce(name):
    trunk, features, _spec = pretrained.empty_backbone(f"torchvision/{name}")
    assert trunk.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, features)


@pytest.mark.parametrize("name", ["convnet", "resnet", *PACKAGED])
def test_an_images_logits_are_its_mirror_images_with_tta_alone(digits, name):
    shown = images(digits)
    for tta in (True, False):
        torch.manual_seed(0)
        model = build_model(TrialConfig(model=name, width=8, tta=tta), digits)
        network, inputs = model.network.eval(), model.preprocess(shown)
        with torch.inference_mode():
            alone = [network.head(network.trunk(x)) for x in (inputs, inputs.flip(-1))]
            assert torch.equal(network(inputs), (alone[0] + alone[1]) / 2 if tta else alone[0])
            assert torch.allclose(model(shown), model(shown.flip(-1)), atol=1e-5) == tta
