"""Baseline: frozen backbones and scikit-learn's logistic regression, the best backbone by validation.

L2 is chosen by cross-validation on the training images, the backbone, and how images become squares, by the validation
images; the regression is then fitted again on both. No image is mirrored or changed otherwise.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from trainables.models.model_registry import missing_weights
from trainables.models.pretrained import load_backbone

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
STRENGTHS = np.logspace(-4, 1, 6)
"""Inverse strengths of L2 that the cross-validation compares."""
CROP = 0.875
"""Share of the shorter side that a centre crop keeps, as ImageNet's evaluations do."""


def squares(kind: str, side: int, mean: Any, std: Any) -> Any:
    """A transform of an image to a network's input: its centre, or the whole of it, distorted."""
    if kind == "crop":
        shape = [transforms.Resize(round(side / CROP)), transforms.CenterCrop(side)]
    else:
        shape = [transforms.Resize((side, side))]
    return transforms.Compose([*shape, transforms.ToTensor(), transforms.Normalize(mean, std)])


@torch.inference_mode()
def embed(trunk: torch.nn.Module, folder: Path, transform: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (images, n) of a folder's images, and their labels."""
    trunk.eval()
    pairs = [
        (trunk(images).numpy(), labels.numpy()) for images, labels in DataLoader(ImageFolder(folder, transform), 32)
    ]
    return np.concatenate([found for found, _ in pairs]), np.concatenate([labels for _, labels in pairs])


def fit_kinds(folder: Path) -> tuple[str, ...]:
    """Ways in which images become squares: one where they are squares."""
    sizes = {image.size for image, _ in (ImageFolder(folder)[row] for row in range(8))}
    return ("stretch",) if all(width == height for width, height in sizes) else ("crop", "stretch")


def main(folder: Path, started: float) -> None:
    """Print validation and test accuracy, the chosen backbone and the seconds since `started`, as JSON."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    candidates = []
    for name in BACKBONES:
        if missing_weights(name):
            continue
        trunk, _, spec = load_backbone(name)
        for kind in fit_kinds(folder / "train"):
            transform = squares(kind, spec.side, spec.mean, spec.std)
            train, val = (embed(trunk, folder / part, transform) for part in ("train", "val"))
            folds = min(3, int(np.bincount(train[1]).min()))
            search = LogisticRegressionCV(Cs=STRENGTHS, cv=folds, max_iter=300)
            model = make_pipeline(StandardScaler(), search).fit(*train)
            score, strength = float(model.score(*val)), float(np.mean(search.C_))
            candidates.append((score, name, kind, strength, train, val, trunk, transform))
            print(f"{name} {kind}: validation {score:.4f}, C {strength:.3g}", flush=True)
    score, name, kind, strength, train, val, trunk, transform = max(candidates, key=lambda found: found[0])
    both = [np.concatenate(pair) for pair in zip(train, val, strict=True)]
    final = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300)).fit(*both)
    found = {
        "accuracy": float(final.score(*embed(trunk, folder / "test", transform))), "validation": score,
        "winner": f"{name}, {kind}", "seconds": time.time() - started,
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--started", type=float, default=time.time())
    given = parser.parse_args()
    main(given.folder, given.started)
