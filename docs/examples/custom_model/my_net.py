"""A network of one's own: ConvMixer (arXiv:2201.09792), patches that are mixed over space and over channels in turn."""

import mixing
from torch import nn

from searchspace import Choice, Int, hyperparameters


@hyperparameters(patch=Choice(2, 1, 4), blocks=Int(2, 6), channels=Choice(32, 64, 16))
def build(data, *, patch, blocks, channels):
    """ConvMixer with `blocks` blocks of `channels` channels on patches of `patch` x `patch` pixels."""
    return nn.Sequential(
        nn.Conv2d(data.channels, channels, patch, stride=patch),
        nn.GELU(),
        nn.BatchNorm2d(channels),
        *(mixing.block(channels) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, len(data.classes)),
    )
