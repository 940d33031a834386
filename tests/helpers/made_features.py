"""Made features of frozen backbones, with labels."""

import numpy as np
import torch


def made_features(count: int, width: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features like a backbone's, at least 0, with some that are constant, and labels that they say something of."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = generator.normal(size=(classes, width))
    features = np.maximum(generator.normal(size=(count, width)) + 0.5 * centres[labels], 0) * np.linspace(0.1, 9, width)
    features[:, :2] = 0.0
    return torch.from_numpy(features).float(), torch.from_numpy(labels)
