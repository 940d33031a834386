"""Layers and initialisation that networks share, and batch norm over the whole batch of a gang."""

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

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


def share_statistics(module: nn.Module, device: torch.device) -> nn.Module:
    """Make every trained batch norm of `module` take its statistics over all workers.

    On CUDA this is torch's own SyncBatchNorm, converted by timm's function, which keeps the activations that its batch
    norms include. On a CPU, where torch has none, plain `BatchNorm2d` is replaced; timm's
    fused batch-norm-activation layers keep each worker's own statistics there.
    """
    if device.type == "cuda":
        from timm.layers.norm_act import convert_sync_batchnorm

        converted: nn.Module = convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]  # timm lacks it
        return converted
    for child in module.modules():
        tracked = type(child) is nn.BatchNorm2d and child.track_running_stats
        if tracked and any(p.requires_grad for p in child.parameters()):
            child.__class__ = SharedBatchNorm2d
    return module


class SharedBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` over all workers of the default process group, uneven shards weighted by their size."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (b, c, h, w) over all workers' b, h, w."""
        if not self.training:
            return super().forward(x)
        precise = x.float()  # under autocast x may be bf16, which has too few digits for such sums
        count = precise.new_full((1,), x.numel() / x.shape[1])
        parts = torch.cat([precise.sum(dim=(0, 2, 3)), precise.square().sum(dim=(0, 2, 3)), count])
        sums: Tensor = all_reduce(parts)  # type: ignore[no-untyped-call]  # torch lacks its type
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        variance = (square - mean.square()).clamp_min(0.0)
        self._remember(mean.detach(), variance.detach() * (sums[-1] / (sums[-1] - 1)).detach())
        scale = torch.rsqrt(variance + self.eps) * self.weight
        return torch.addcmul((self.bias - mean * scale)[:, None, None], precise, scale[:, None, None]).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            raise RuntimeError("SharedBatchNorm2d needs running statistics")
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
