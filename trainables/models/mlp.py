"""A multilayer perceptron, for tiny images in which every pixel has its place, such as centred digits."""

from torch import nn

from trainables.config import TrialConfig
from trainables.models.layers import activation

UNITS_PER_WIDTH = 8
"""Hidden units for each one of `width`."""


def build_mlp(config: TrialConfig, channels: int, side: int) -> tuple[nn.Module, int]:
    """Trunk of `depth` hidden layers of 8 x `width` units, and its number of features.

    Layer norms, which see one image at a time, make it train alike on any number of workers.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    incoming, units = channels * side**2, UNITS_PER_WIDTH * config.width
    for _ in range(config.depth):
        linear = nn.Linear(incoming, units)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LayerNorm(units), activation(config.activation)]
        incoming = units
    return nn.Sequential(*layers), incoming
