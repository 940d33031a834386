"""A configurable CNN of cifar10-airbench's shape (Keller Jordan, arXiv:2404.00498), for images of any size.

A first convolution that whitens patches, blocks of two convolutions each with pooling between them while the map is
large enough, the largest value of each map: it reaches good accuracy quickly at any width.
"""

from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.models.layers import activation, identity_init
from trainables.models.whitening import Whitening

WIDENING = 4
"""Times the first block's channels that all later blocks have."""
SMALLEST_MAP = 3
"""Pixels below which no map is pooled."""
STEM_SIDE = 32
"""Side that the first convolution's stride brings larger images near to."""
LARGEST_STRIDE = 4
"""Of the first convolution."""


class LargestValue(nn.Module):
    """Global max pooling."""

    def forward(self, x: Tensor) -> Tensor:
        """Feature map (b, c, h, w) -> (b, c)."""
        return x.amax(dim=(2, 3))


def build_convnet(config: TrialConfig, channels: int, side: int) -> tuple[nn.Module, int]:
    """Trunk of `depth` blocks, `width` channels in the first and four times as many after, and its features."""
    stride = min(LARGEST_STRIDE, max(1, round(side / STEM_SIDE)))
    kernel = max(2, stride)
    incoming = 2 * channels * kernel**2
    stem = Whitening(channels, kernel, stride) if config.whiten else nn.Conv2d(channels, incoming, kernel, stride)
    layers: list[nn.Module] = [stem, activation(config.activation)]
    side = (side - kernel) // stride + 1
    for block in range(config.depth):
        width = config.width * (WIDENING if block else 1)
        pools = side // 2 >= SMALLEST_MAP
        layers += [
            *_convolution(incoming, width, config, [nn.MaxPool2d(2)] if pools else []),
            *_convolution(width, width, config, []),
        ]
        incoming, side = width, side // 2 if pools else side
    return nn.Sequential(*layers, LargestValue()), incoming


def _convolution(incoming: int, outgoing: int, config: TrialConfig, pool: list[nn.Module]) -> list[nn.Module]:
    """3x3 convolution, pooling, batch norm with a bias but no scale, activation."""
    convolution = nn.Conv2d(incoming, outgoing, 3, padding=1, bias=not config.batch_norm)
    identity_init(convolution)
    norm = nn.BatchNorm2d(outgoing)
    # A scale adds nothing that the next convolution cannot do, and its steps interfere with that one's.
    norm.weight.requires_grad_(False)
    return [convolution, *pool, *([norm] if config.batch_norm else []), activation(config.activation)]
