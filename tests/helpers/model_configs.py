"""Small configurations of every model of the registry, and images for them."""

import torch

from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary


def images(data: DataSummary, count: int = 4) -> torch.Tensor:
    """Random uint8 images [count, channels, height, width]."""
    shape = (count, data.channels, data.height, data.width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


CONFIGS = [
    TrialConfig(model="convnet", width=8, depth=1),
    TrialConfig(model="convnet", width=8, depth=5, batch_norm=False, activation="gelu"),
    TrialConfig(model="convnet", width=8, depth=3, whiten=False, tta=True),
    TrialConfig(model="resnet", width=8, depth=1, activation="silu", dropout=0.3),
    TrialConfig(model="mlp", width=8, depth=2, activation="gelu"),
    TrialConfig(model="tf_efficientnet_lite0", freeze="stem"),
]
