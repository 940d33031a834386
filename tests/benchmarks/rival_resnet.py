"""The rival of `bench_convnet.py`: ResNet-18 for small images as PyTorch's users write it.

3x3 stem without pooling, SGD 0.1 with momentum 0.9 and weight decay 5e-4, cosine, random crop and flip by torchvision's
transforms in a DataLoader. It gets bf16 autocast and channels_last too, for the question is the recipe.
"""

import math
import os
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18
from torchvision.transforms import v2

from trainables.data.store import Store
from trainables.device import autocast

BATCH, RATE, MOMENTUM, DECAY = 128, 0.1, 0.9, 5e-4
LOADERS = max(1, len(os.sched_getaffinity(0)) // 2)


class Images(Dataset[tuple[Tensor, int]]):
    """A split's images, each through `transform`."""

    def __init__(self, store: Store, split: str, transform: v2.Transform) -> None:
        self.store, self.rows, self.transform = store, store.rows(split), transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        return self.transform(torch.from_numpy(np.array(self.store.images[row]))), int(self.store.labels[row])


def train_resnet(store: Store, seconds: float, seed: int, device: torch.device) -> dict[str, Any]:
    """Train for `seconds` of the clock, the cosine ending with them; validation accuracy, images seen, seconds."""
    torch.manual_seed(seed)
    data = store.summary
    plain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(data.mean), list(data.std))])
    augmented = v2.Compose([v2.RandomCrop((data.height, data.width), padding=4), v2.RandomHorizontalFlip(), plain])
    loader = DataLoader(
        Images(store, "train", augmented), BATCH, shuffle=True, drop_last=True, num_workers=LOADERS,
        persistent_workers=True, pin_memory=device.type == "cuda",
    )  # fmt: skip
    network = make_resnet(data.channels, len(data.classes)).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY)
    started, seen = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for images, labels in loader:
            gone = (time.perf_counter() - started) / seconds
            if gone >= 1:
                break
            optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * gone))
            train_step(network, optimizer, images.to(device), labels.to(device))
            seen += len(images)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent = time.perf_counter() - started
    return {"accuracy": accuracy(network, Images(store, "val", plain), device), "images": seen, "seconds": spent}


def make_resnet(channels: int, classes: int) -> nn.Module:
    """Torchvision's ResNet-18 with the stem that everybody gives it for small images."""
    network = resnet18(num_classes=classes)
    network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


def train_step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    network.train()
    optimizer.zero_grad()
    with autocast(images.device):
        logits = network(images.contiguous(memory_format=torch.channels_last))
    functional.cross_entropy(logits.float(), labels).backward()
    optimizer.step()


@torch.inference_mode()
def accuracy(network: nn.Module, images: Images, device: torch.device) -> float:
    """Share of `images` whose likeliest class is right."""
    network.eval()
    correct = 0
    for batch, labels in DataLoader(images, 500):
        with autocast(device):
            logits = network(batch.to(device).contiguous(memory_format=torch.channels_last))
        correct += int((logits.argmax(dim=1).cpu() == labels).sum())
    return correct / len(images)
