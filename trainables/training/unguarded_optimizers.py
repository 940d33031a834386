"""Torch's optimizers without torch.compile's guards around their methods.

The guards import torch's compiler when an optimizer is first made: 1.4 CPU seconds of every worker's start, for
something that no worker uses.
"""

import torch

GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _unguarded(optimizer: type[torch.optim.Optimizer]) -> dict[str, object]:
    """The guarded methods as they are inside; `step` keeps its `no_grad`, which is part of its guard."""
    inner = {name: getattr(getattr(optimizer, name), "__wrapped__", getattr(optimizer, name)) for name in GUARDED}
    return inner | {"step": torch.no_grad()(getattr(optimizer.step, "__wrapped__", optimizer.step))}


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` (arXiv:1711.05101)."""

    locals().update(_unguarded(torch.optim.AdamW))


class SGD(torch.optim.SGD):
    """`torch.optim.SGD`, with Nesterov's momentum if asked for."""

    locals().update(_unguarded(torch.optim.SGD))
