"""Layers and initialisation that the networks trained from scratch share."""

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def activation(name: str) -> nn.Module:
    """A non-linearity by its name in `TrialConfig.activation`."""
    return ACTIVATIONS[name]()


def kernel_init(module: nn.Module) -> None:
    """He initialisation of a convolution, for its fan out (arXiv:1502.01852)."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def identity_init(convolution: nn.Conv2d) -> None:
    """Let the first filters pass their input on unchanged (arXiv:2404.00498, section 3.3); the rest stay random."""
    passed = min(convolution.in_channels, convolution.out_channels)
    with torch.no_grad():
        nn.init.dirac_(convolution.weight[:passed])
