"""Weights from torch's hub as tensors and nothing else: torchvision's own loading would run what a pickle says."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""Makes every `torch.load` one with `weights_only=True`, whatever its caller says."""


@contextmanager
def tensors_only() -> Iterator[None]:
    """`torch.load` reads no code in this block; raises RuntimeError for a file that has some."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        yield
    except Exception as error:
        if type(error).__name__ == "UnpicklingError":
            raise RuntimeError(f"holds more than tensors: {str(error).splitlines()[0]}") from error
        raise
    finally:
        os.environ.pop(FORCE)
        if before is not None:
            os.environ[FORCE] = before
