"""Residual networks for small images: 3x3 stem without pooling, three stages (arXiv:1512.03385, section 4.2)."""

from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.models.layers import activation, kernel_init

STAGES = 3


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, incoming: int, outgoing: int, stride: int, act: str) -> None:
        """Map `incoming` channels to `outgoing`, with a `stride` in pixels."""
        super().__init__()
        self.last_norm = nn.BatchNorm2d(outgoing)
        self.body = nn.Sequential(
            nn.Conv2d(incoming, outgoing, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outgoing),
            activation(act),
            nn.Conv2d(outgoing, outgoing, 3, 1, 1, bias=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or incoming != outgoing:
            self.shortcut = nn.Sequential(
                nn.Conv2d(incoming, outgoing, 1, stride, bias=False), nn.BatchNorm2d(outgoing)
            )
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        """Feature map (b, incoming, h, w) -> (b, outgoing, h / stride, w / stride)."""
        out: Tensor = self.act(self.last_norm(self.body(x)) + self.shortcut(x))
        return out


def build_resnet(config: TrialConfig, channels: int, _side: int) -> tuple[nn.Module, int]:
    """Trunk of three stages of `depth` blocks, `width` channels doubling each stage, and its number of features."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, config.width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(config.width),
        activation(config.activation),
    ]
    incoming = config.width
    for stage in range(STAGES):
        outgoing = config.width * 2**stage
        for block in range(config.depth):
            layers.append(ResidualBlock(incoming, outgoing, 2 if stage and not block else 1, config.activation))
            incoming = outgoing
    trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    trunk.apply(kernel_init)
    for module in trunk.modules():
        if isinstance(module, ResidualBlock):
            # Each block starts as its shortcut, which trains deeper stacks from the first epoch (arXiv:1706.02677).
            nn.init.zeros_(module.last_norm.weight)
    return trunk, incoming
