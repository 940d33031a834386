"""Image classifiers of torchvision and timm: their heads are found, their sizes are known, or they are refused."""

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torchvision.models import get_model, get_model_builder, get_model_weights, list_models

from searchspace.preparation.preflight import check_trainable
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models import pretrained
from trainables.models.build_model import build_model, build_untrained, rebuild_model
from trainables.models.classifier import Network, linear_head
from trainables.models.model_registry import check_model
from trainables.models.tensor_shapes import accepts_side, find_side
from trainables.models.torchvision_models import TORCHVISION, classifier_names, without_head

FAMILIES = {
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_32",
    "wide_resnet50_2",
}  # fmt: skip
"""One of each of torchvision's families at least; all the others are slow tests."""
TIMM = (
    "resnet18", "vit_tiny_patch16_224", "vit_small_patch14_dinov2", "deit_tiny_distilled_patch16_224", "levit_128s",
    "mobilenetv3_small_050", "convnext_atto", "vgg11_bn", "swin_tiny_patch4_window7_224", "inception_v3",
    "botnet26t_256", "regnetx_002", "mixer_b16_224", "efficientformerv2_s0", "test_vit", "test_convnext",
)  # fmt: skip
"""Plain heads, heads with hidden layers, two heads, no classes at all, fixed and least sizes."""


def torchvisions() -> list[object]:
    """All of torchvision's classifiers; those that are no sample of their family are slow."""
    bare = [name.removeprefix(TORCHVISION) for name in classifier_names()]
    assert set(bare) >= FAMILIES
    return [name if name in FAMILIES else pytest.param(name, marks=pytest.mark.slow) for name in bare]


def logits_shape(network: nn.Module, side: int) -> tuple[int, ...]:
    """Of two images, in training, from shapes alone."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    found = functional_call(network.train(), shapes, (torch.empty(2, 3, side, side, device="meta"),))
    return tuple(found.shape)


def whole(name: str) -> dict[str, torch.Size]:
    """Names and shapes of the weights that torchvision gives out for a network, but for heads in its middle."""
    options = {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    if name.startswith("vit_"):
        options["image_size"] = get_model_weights(name).DEFAULT.meta["min_size"][0]
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return {key: tensor.shape for key, tensor in get_model(name, weights=None, **options).state_dict().items()}


@pytest.mark.parametrize("name", torchvisions())
def test_exactly_the_head_of_a_torchvision_classifier_is_new(name):
    trunk, features, spec = pretrained.shape_only_backbone(TORCHVISION + name)
    network = Network(trunk, linear_head(features, 7, 0.1), [])
    side = find_side(trunk, features, 64, spec.side)
    assert side in {64, get_model_weights(name).DEFAULT.meta["min_size"][0]}, "what torchvision says is the least"
    assert logits_shape(network, side) == (2, 7)
    before = {f"trunk.{key}": shape for key, shape in whole(name).items()}
    after = {key: tensor.shape for key, tensor in network.state_dict().items()}
    assert after.keys() - before.keys() == {"head.1.weight", "head.1.bias"}
    assert all(before[key] == after[key] for key in before.keys() & after.keys())
    gone = sorted(before[key] for key in before.keys() - after.keys())
    assert gone[-1][:2] == (1000, features), "the old head's weight, whether of a linear layer or of a convolution"
    assert gone[:-1] in ([], [(1000,)]), "and its bias"


@pytest.mark.parametrize("name", TIMM)
def test_a_timm_classifier_gets_a_new_head_at_a_size_that_it_takes(name):
    check_model(name)
    trunk, features, spec = pretrained.shape_only_backbone(name)
    side = find_side(trunk, features, 64, spec.side)
    assert 64 <= side <= spec.side
    assert logits_shape(Network(trunk, linear_head(features, 7, 0.1), []), side) == (2, 7)


@pytest.mark.parametrize("name", sorted({*list_models()} - {n.removeprefix(TORCHVISION) for n in classifier_names()}))
def test_torchvisions_other_networks_are_refused_by_what_they_are(name):
    with pytest.raises(
        UserError, match=rf"^--models 'torchvision/{name}': is no image classifier, but an? \w+"
    ) as found:
        check_model(TORCHVISION + name)
    assert "\n" not in str(found.value)
    if name.startswith("quantized_"):
        assert get_model_builder(name.removeprefix("quantized_"))
        assert str(found.value).endswith(f"did you mean 'torchvision/{name.removeprefix('quantized_')}'?")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision/resnet81", "not one of convnet, .* did you mean 'torchvision/resnet18'"),
        ("torchvision/", "not one of convnet, "),
        ("resnet18.typo", "timm has no weights 'typo' for resnet18, but a1_in1k, "),
        ("resnet18.", "timm has no weights '' for resnet18, but a1_in1k, "),
        ("hf-hub:timm/resnet18.a1_in1k", "timm's names, without hub and owner: 'resnet18.a1_in1k'"),
        ("timm/resnet18", "without hub and owner: 'resnet18'"),
        ("microsoft/resnet-50", "not one of convnet, "),
        ("tv_resnet50", "timm calls it 'resnet50.tv_in1k' now"),
        ("efficientnet_b7", "timm has no pretrained weights for it; did you mean"),
        ("ResNet-18", "did you mean 'resnet18'"),
    ],
)
def test_a_name_that_is_nearly_one_is_met_with_the_right_one(name, said):
    with pytest.raises(UserError, match=f"^--models '{name}': .*{said}"):
        check_model(name)


def cached_weights(home, name: str) -> dict[str, torch.Tensor]:
    """Random weights of a torchvision network, put where torch's hub keeps what it downloaded."""
    torch.manual_seed(0)
    options = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    state = get_model(name, weights=None, **options).state_dict()
    file = home / "hub" / "checkpoints" / get_model_weights(name).DEFAULT.url.rsplit("/", 1)[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, file)
    return state


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_a_rebuilt_torchvision_model_answers_as_the_one_that_was_loaded(digits, tmp_path, monkeypatch, name):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = cached_weights(tmp_path, name)
    config = TrialConfig(model=TORCHVISION + name)
    model = build_model(config, digits)
    kept = model.network.trunk.state_dict()
    assert len(kept) > 10
    assert all(torch.equal(state[key], tensor) for key, tensor in kept.items())
    again = rebuild_model(config, digits, model.preprocess.spec)
    again.load_state_dict(model.state_dict())
    shown = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model.eval()(shown), again.eval()(shown))


@pytest.mark.parametrize("name", ["torchvision/inception_v3", "torchvision/vit_b_32", "vit_tiny_patch16_224"])
def test_small_images_are_enlarged_to_what_a_backbone_takes(digits, name):
    assert build_untrained(TrialConfig(model=name), digits).preprocess.spec.side == (75 if "inception" in name else 224)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("torchvision/inception_v3", 64, "takes no images of input_size 64 pixels; the next larger size .* is 75$"),
        ("torchvision/vit_b_32", 96, "takes no images of input_size 96 pixels; the next larger size .* is 224$"),
        ("torchvision/vit_b_32", 256, "takes no images of input_size 256 pixels; it was made for 224$"),
        ("vit_tiny_patch16_224", 225, "takes no images of input_size 225 pixels; it was made for 224$"),
    ],
)
def test_a_size_that_a_backbone_does_not_take_is_refused_before_the_search(digits, name, size, said):
    with pytest.raises(UserError, match=f"^{name}: {said}"):
        check_trainable(TrialConfig(model=name, input_size=size), 1, digits)
    check_trainable(TrialConfig(model=name), 1, digits)


def test_asking_for_shapes_leaves_a_network_as_it_was():
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    trunk[2].eval()
    before = {key: tensor.clone() for key, tensor in trunk.state_dict().items()}
    assert accepts_side(trunk, 4, 8)
    assert not accepts_side(trunk, 4, 2)
    assert not accepts_side(trunk, 5, 8)
    assert [module.training for module in trunk] == [True, True, False, True, True]
    assert all(torch.equal(before[key], tensor) for key, tensor in trunk.state_dict().items())


def test_a_network_that_ends_otherwise_is_refused():
    with pytest.raises(UserError, match="Sequential: ends in no layer that gives its 10 classes"):
        without_head(nn.Sequential(nn.Linear(4, 9)), 10)
    with pytest.raises(UserError, match="ends in no layer"):
        without_head(nn.Sequential(nn.Conv2d(4, 10, 3)), 10)
