"""Timm's networks as backbones: which names have weights, and the networks without their head."""

from typing import Any

from torch import nn

from trainables.common.errors import suggest
from trainables.export.model_info import InputSpec
from trainables.models.efficientnet_lite import CENTRE, CROP, PACKAGED, load_packaged_weights


def timm_names() -> list[str]:
    """Names of all of timm's architectures."""
    import timm

    return list(timm.list_models())


def is_timm(name: str) -> bool:
    """Whether timm has an architecture of this name, which may end in a point and the tag of its weights."""
    from timm import is_model

    return bool(is_model(name))


def explain_unavailable_timm(name: str) -> str:
    """Why timm has no pretrained weights for a name that resembles one of its own, and what to write; else empty.

    Nothing is downloaded: timm lists its weights itself.
    """
    from timm.models import get_arch_pretrained_cfgs, get_deprecated_models

    if not is_timm(name):
        bare = name.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        return f"models have timm's names, without hub and owner: {bare!r}" if is_timm(bare) else ""
    if renamed := get_deprecated_models().get(name):
        return f"timm calls it {renamed!r} now"
    architecture, _, tag = name.partition(".")
    tags = [full.partition(".")[2] for full, cfg in get_arch_pretrained_cfgs(architecture).items() if cfg.has_weights]
    if not tags:
        return f"timm has no pretrained weights for it{_nearest(architecture)}"
    if "." in name and tag not in tags:
        return f"timm has no weights {tag!r} for {architecture}, but {', '.join(filter(None, tags))}"
    return ""


def _nearest(architecture: str) -> str:
    """The nearest name that has weights, as a question."""
    from timm import list_models

    return suggest(architecture, {name.partition(".")[0] for name in list_models(pretrained=True)})


def open_timm(name: str, pretrained: bool) -> tuple[nn.Module, int, InputSpec]:
    """Timm's network without its head; its number of features; what input it was trained on.

    Raises OSError (or a subclass) or RuntimeError where the weights are neither cached nor downloadable.
    """
    import timm
    from timm.data.config import resolve_data_config

    if packaged := PACKAGED.get(name):
        network = timm.create_model(name, pretrained=False)
        if pretrained:
            load_packaged_weights(name, network)
        network.reset_classifier(0)  # type: ignore[operator]  # timm gives every network this method
        return network, _features(network), _spec(packaged.side, (CENTRE,) * 3, (CENTRE,) * 3, CROP, "bicubic")
    network = timm.create_model(name, pretrained=pretrained, num_classes=0)
    wanted = resolve_data_config(network.pretrained_cfg)  # type: ignore[no-untyped-call]  # timm lacks it
    spec = _spec(wanted["input_size"][-1], wanted["mean"], wanted["std"], wanted["crop_pct"], wanted["interpolation"])
    return network, _features(network), spec


def native_timm_input(name: str) -> tuple[int, float]:
    """Side that timm's network was trained on, in pixels, and the share of the shorter side of an image that it is.

    Nothing is downloaded; side 0 for a network of which timm has no weights.
    """
    from timm.data.config import resolve_data_config
    from timm.models import get_pretrained_cfg

    if packaged := PACKAGED.get(name):
        return packaged.side, CROP
    known = get_pretrained_cfg(name)
    if known is None:
        return 0, 1.0
    wanted = resolve_data_config(known.to_dict())  # type: ignore[no-untyped-call]  # timm lacks it
    return int(wanted["input_size"][-1]), float(wanted["crop_pct"])


def _features(network: Any) -> int:
    return int(getattr(network, "head_hidden_size", None) or network.num_features)


def _spec(side: int, mean: Any, std: Any, crop: float, interpolation: str) -> InputSpec:
    kind = interpolation if interpolation in {"bicubic", "bilinear"} else "bicubic"
    return InputSpec(side=side, channels=3, mean=tuple(mean), std=tuple(std), crop=crop, interpolation=kind)
