"""What a pretrained backbone keeps: its weights, by `TrialConfig.freeze`, and the statistics of its batch norms."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.config import TrialConfig
from trainables.models.freezing.trunk_cut import split_trunk

STEM_SHARE = 0.25
"""Of the backbone's parameter tensors, first ones first, that `freeze=stem` keeps."""


def frozen_modules(config: TrialConfig, trunk: nn.Module, side: int, images: int) -> list[nn.Module]:
    """What `config.freeze` keeps: nothing, the leaf modules of the trunk's first quarter, its lower part, or all of it.

    `side` is that of the network's input, in pixels, and `images` the number that the data set trains and validates on;
    the cut depends on both. Raises `UserError` where the trunk cannot be cut.
    """
    if config.freeze == "all":
        return [trunk]
    if config.freeze == "lower":
        lower, _upper = split_trunk(config.model, trunk, side, images)
        return list(lower)
    return _first_quarter(trunk) if config.freeze == "stem" else []


def _first_quarter(trunk: nn.Module) -> list[nn.Module]:
    leaves = [m for m in trunk.modules() if list(m.parameters(recurse=False))]
    sizes = [len(list(m.parameters(recurse=False))) for m in leaves]
    budget, frozen = round(STEM_SHARE * sum(sizes)), []
    for leaf, size in zip(leaves, sizes, strict=True):
        if budget <= 0:
            break
        frozen.append(leaf)
        budget -= size
    return frozen


def kept_norms(config: TrialConfig, trunk: nn.Module) -> list[nn.Module]:
    """Batch norms that keep their statistics though their weights learn: all, where layers above a cut are trained.

    So are those under a head that begins as a probe. It was fitted to features with these statistics; those of a batch
    would move every feature at the first step.
    """
    if config.freeze != "lower" and config.head_init != "probe":
        return []
    return [module for module in trunk.modules() if isinstance(module, _BatchNorm)]
