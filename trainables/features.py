"""Frozen features: what a backbone that does not learn gives for every image, computed once a node."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.store import Store
from trainables.device import autocast, evaluation_chunk, precision
from trainables.models.classifier import Classifier


def frozen_features(
    model: Classifier, name: str, store: Store, device: torch.device
) -> np.memmap[Any, np.dtype[np.float32]]:
    """Features of train, then val, (images, features), memory-mapped; the first caller on a node computes them."""
    folder = store.path / "features"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name.replace('/', '-')}-{model.preprocess.spec.side}-{precision(device)}.npy"
    with FileLock(str(file) + ".lock"):
        if not file.is_file():
            _compute(model, store.images, device, file)
    features: np.memmap[Any, np.dtype[np.float32]] = np.load(file, mmap_mode="c")
    return features


def _compute(model: Classifier, images: NDArray[np.uint8], device: torch.device, file: Path) -> None:
    beside = file.with_suffix(".partial.npy")
    model.eval()
    size = evaluation_chunk(device, model.preprocess.spec.pixels)
    out: NDArray[np.float32] | None = None
    for start in range(0, len(images), size):
        features = embed(model, torch.from_numpy(images[start : start + size]).to(device))
        if out is None:
            shape = (len(images), features.shape[1])
            out = np.lib.format.open_memmap(beside, mode="w+", dtype=np.float32, shape=shape)
        out[start : start + size] = features.float().cpu().numpy()
    beside.rename(file)


@torch.inference_mode()
def embed(model: Classifier, images: Tensor) -> Tensor:
    """Features (b, f) of uint8 images (b, c, h, w)."""
    inputs = model.preprocess(images)
    with autocast(images.device):
        features: Tensor = model.network.trunk(inputs)
    return features
