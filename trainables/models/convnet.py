"""A configurable CNN: blocks of convolution, batch norm, activation, with pooling while the map is large enough."""

from torch import nn

from trainables.config import TrialConfig
from trainables.models.layers import activation, kernel_init

LARGEST_WIDTH = 8
"""Times the first block's channels, at most."""
SMALLEST_MAP = 4
"""Pixels below which a map is not pooled again."""


def build_convnet(config: TrialConfig, channels: int, side: int) -> tuple[nn.Module, int]:
    """Trunk of `depth` blocks, `width` channels doubling with each pooling, and its number of features."""
    layers: list[nn.Module] = []
    width, incoming = config.width, channels
    for block in range(config.depth):
        layers += [
            nn.Conv2d(incoming, width, 3, padding=1, bias=not config.batch_norm),
            *([nn.BatchNorm2d(width)] if config.batch_norm else []),
            activation(config.activation),
        ]
        incoming = width
        if side >= 2 * SMALLEST_MAP and block < config.depth - 1:
            layers.append(nn.MaxPool2d(2))
            side //= 2
            width = min(2 * width, LARGEST_WIDTH * config.width)
    trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    trunk.apply(kernel_init)
    return trunk, incoming
