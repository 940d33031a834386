"""The block of ConvMixer, in a file beside the network."""

from torch import Tensor, nn


class Residual(nn.Module):
    """Adds what a layer gives to what it gets."""

    def __init__(self, layer: nn.Module) -> None:
        """Wrap `layer`, which keeps the shape of its input."""
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The input, and what the layer makes of it."""
        return x + self.layer(x)


def block(channels: int, kernel: int = 5) -> nn.Module:
    """Mix each channel over space, then each place over channels."""
    return nn.Sequential(
        Residual(
            nn.Sequential(
                nn.Conv2d(channels, channels, kernel, groups=channels, padding="same"),
                nn.GELU(),
                nn.BatchNorm2d(channels),
            )
        ),
        nn.Conv2d(channels, channels, 1),
        nn.GELU(),
        nn.BatchNorm2d(channels),
    )
