"""The models by name, and checks of model names that import neither torch nor timm where they can do without."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from trainables.common.errors import UserError, suggest
from trainables.config import TrialConfig
from trainables.custom.custom_code import is_custom
from trainables.models.efficientnet_lite import PACKAGED, is_packaged, missing_package

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ScratchModel:
    """A network trained from scratch, known by name."""

    summary: str
    """One line for the docs."""
    builder: str
    """`module:function` that builds the trunk, as `build` calls it; imported when it is called, as torch is with it."""
    shaped_by: tuple[str, ...]
    """Fields of `TrialConfig` that the trunk's shape depends on, besides `model` and `input_size`."""
    trained_by: tuple[str, ...] = ()
    """Fields of `TrialConfig` that change how this model is trained, but not its shape, and mean nothing to others."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of `TrialConfig` that not every model has."""
        return self.shaped_by + self.trained_by

    def build(self, config: TrialConfig, channels: int, side: int) -> "tuple[nn.Module, int]":
        """Trunk for images (b, channels, side, side), which gives features (b, n), and n."""
        trunk, features = resolve_name(self.builder)(config, channels, side)
        return trunk, features


@dataclass(frozen=True)
class OwnModel(ScratchModel):
    """A network of the user's own, which `trainables.custom` registers."""

    own: Mapping[str, Any] = field(default_factory=dict)
    """Ranges of its own hyperparameters, by name: `Choice`, `Int` or `Float` of `trainables.custom.ranges`."""
    own_defaults: Mapping[str, Any] = field(default_factory=dict)
    """Their values in its first trial."""
    digest: str = ""
    """Of its code: what its measured costs are kept by."""
    function: Callable[..., "nn.Module"] | None = None
    """Builds the network of data and hyperparameters; None where its code is not run."""


MODELS: dict[str, ScratchModel] = {
    "convnet": ScratchModel(
        "whitened patches, blocks of two convolutions", "trainables.models.convnet:build_convnet",
        # A whitening layer is a convolution like the one in its place, with other weights.
        shaped_by=("width", "depth", "activation", "batch_norm"), trained_by=("whiten",),
    ),
    "resnet": ScratchModel(
        "small-image residual network", "trainables.models.resnet:build_resnet",
        shaped_by=("width", "depth", "activation"),
    ),
    "mlp": ScratchModel(
        "multilayer perceptron, for tiny images whose every pixel has its place", "trainables.models.mlp:build_mlp",
        shaped_by=("width", "depth", "activation"),
    ),
}  # fmt: skip
"""Each network by its name in `--models`: adding one is one file and one entry."""


FINE_TUNED: dict[str, Any] = {
    "freeze": "lower", "head_init": "probe", "optimizer": "adamw", "backbone_lr": 2e-4, "head_lr": 5e-4,
    "batch_size": 32, "weight_decay": 1e-2, "warmup": 0.1, "dropout": 0.0, "label_smoothing": 0.0, "flip": "random",
    "cached_views": 0, "tta": False,
}  # fmt: skip
"""Values of `TrialConfig` for a first trial of fine-tuning that begins as the probe of its backbone; its `fit` and
`input_size` should be the probe's, so that features and activations are shared.

Measured with EfficientNet-Lite0, validation accuracy after 6 epochs: 67.9 against the probe's 64.4 % with 2,500 images
of CIFAR-10 at 64 pixels (one split of 474 images); 94.6 against 95.0 % with 170 photographs at 128 pixels (3 splits of
74): so few images do not pay for it. With 5e-5, 1e-4 and label smoothing it lost
(91.1 against 93.8 %, 5 splits).
"""
FINE_TUNING_RANGES: dict[str, tuple[float, float]] = {"backbone_lr": (3e-5, 1e-3), "head_lr": (1e-4, 5e-3)}
"""Sensible ranges, both logarithmic, for fine-tuning from a probe: larger steps of the head undo what it begins as.

Besides them: `cached_views` 0 to 2 (each costs one pass of the lower part over all images, once for all trials), `flip`
none or random, `tta` where it flips, `batch_size` 16 to 64. MixUp, CutMix, `crop_scale`, `translate` and
`augment_strength` change images at each step, so nothing can be cached: leave them off.
"""


def is_pretrained(name: str) -> bool:
    """Whether a model is a backbone with pretrained weights."""
    return name not in MODELS and not is_custom(name)


def is_closed_form(config: TrialConfig) -> bool:
    """Whether the configuration is trained by solving a convex problem: one training, without epochs or seeds.

    It reports once, as `complete`, at the epoch that is the assignment's full length: more epochs would change nothing.
    """
    return is_pretrained(config.model) and config.freeze == "all" and config.head_solver == "lbfgs"


def needs_size_check(name: str) -> bool:
    """Whether a model may accept only some input sizes; networks from scratch and packaged ones accept any."""
    return is_pretrained(name) and not is_packaged(name)


def learning_kind(config: TrialConfig) -> str:
    """How a network is trained: on `frozen` features, from `pretrained` weights, or from `scratch`.

    Learning curves of one kind rank early as they end; those of two kinds cross late.
    """
    if not is_pretrained(config.model):
        return "scratch"
    return "frozen" if config.freeze == "all" else "pretrained"


def check_model(name: str) -> None:
    """Raise `UserError` unless `name` is a registered model, or timm or torchvision has an image classifier so named.

    Nothing is downloaded, and no network is built.
    """
    if name in MODELS or is_packaged(name):
        return
    if is_custom(name):
        raise UserError(f"--models {name!r}: its code is not here; name its file, such as my_net.py:build")
    from trainables.models.pretrained import backbone_names, explain_unavailable, is_known

    if wrong := explain_unavailable(name):
        raise UserError(f"--models {name!r}: {wrong}")
    if not is_known(name):
        hint = suggest(name, [*MODELS, *PACKAGED, *backbone_names()])
        raise UserError(f"--models {name!r}: not one of {', '.join(MODELS)}, a timm name, or torchvision/NAME{hint}")


def wanted_side(name: str, input_size: int = 0) -> int:
    """Shorter side of images, in pixels, that a model makes use of; 0 for networks from scratch, which take any.

    Of a backbone with its usual `input_size` of 0, it is what its input was cropped from. Nothing is downloaded.
    """
    if not is_pretrained(name):
        return input_size
    from trainables.models.pretrained import native_input

    side, crop = native_input(name)
    return math.ceil((input_size or side) / crop)


def missing_weights(name: str) -> str:
    """Why a backbone's weights are unavailable, or an empty string; downloads them where that is possible."""
    if not is_pretrained(name):
        return ""
    if is_packaged(name):
        return missing_package(name)
    from trainables.models.pretrained import load_backbone

    try:
        load_backbone(name)
    except UserError:
        raise
    except Exception as error:  # a network error, a damaged file, or an error of the library that reads it
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""
