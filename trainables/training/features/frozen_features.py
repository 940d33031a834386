"""The features of a frozen backbone on disk: which sets there are, and who computes one."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from trainables.augmentation.augmentation_registry import ImageViews, image_views
from trainables.config import Frozen, TrialConfig
from trainables.data.loading.square_maker import training_images
from trainables.data.store.file_digests import compute_digests, find_damage, write_digests
from trainables.data.store.store import Store
from trainables.export.model_info import InputSpec
from trainables.models.build_model import build_model
from trainables.models.classifier import Classifier
from trainables.models.model_registry import is_pretrained
from trainables.storage.cache import cache_folder, read_cached
from trainables.storage.files import write_file
from trainables.storage.folders import remove_tree
from trainables.training.device import autocast, evaluation_chunk, precision


class View(StrEnum):
    """What of an image the backbone sees."""

    PLAIN = "plain"
    """The image as the network's preprocessing gives it."""
    MIRRORED = "mirrored"
    """The mirror image of that."""


Features = NDArray[np.float32]
"""Features (images, features) of train, then val, most often memory-mapped."""


class Backbone(Frozen):
    """Description of a frozen backbone whose features are on disk, so that a trial does not load the backbone."""

    spec: InputSpec
    """Input of the backbone."""
    features: int
    """Numbers an image."""
    parameters: int
    """Parameters of the backbone."""


def learns_from_features(config: TrialConfig) -> bool:
    """Whether the backbone is frozen and sees each image as it is stored, without augmentation, in every epoch."""
    stored = image_views(config) is ImageViews.STORED and not config.tta
    return config.freeze == "all" and is_pretrained(config.model) and stored


def known_backbone(config: TrialConfig, store: Store, device: torch.device, view: View = View.PLAIN) -> Backbone | None:
    """The backbone of the configuration, if its features are on disk and undamaged; else None."""
    card = _record_file(config, store, device, view)
    found = read_cached(card, Backbone)
    return found if found is not None and not find_damage(card.parent, _contents_name(card)) else None


def wanted_views(config: TrialConfig) -> tuple[View, ...]:
    """Views of each image that a closed-form head is fitted to."""
    return (View.PLAIN, View.MIRRORED) if config.tta else (View.PLAIN,)


def feature_views(config: TrialConfig, store: Store, device: torch.device) -> list[Features]:
    """Features of each view that a closed-form head is fitted to; the first caller on a node computes them."""
    wanted = wanted_views(config)
    missing = any(known_backbone(config, store, device, view) is None for view in wanted)
    model = build_model(config, store.summary).to(device).to(memory_format=torch.channels_last) if missing else None
    return [frozen_features(model, config, store, device, view) for view in wanted]


def frozen_features(
    model: Classifier | None, config: TrialConfig, store: Store, device: torch.device, view: View = View.PLAIN
) -> np.memmap[Any, np.dtype[np.float32]]:
    """Features (images, features) of train, then val, memory-mapped; the first caller on a node computes them.

    `model` may be None where the features are known.
    """
    card = _record_file(config, store, device, view)
    file = card.with_suffix(".npy")
    card.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(file) + ".lock"):
        if known_backbone(config, store, device, view) is None:
            model = model or build_model(config, store.summary).to(device).to(memory_format=torch.channels_last)
            for odd in (card, file, card.with_name(_contents_name(card))):
                remove_tree(odd)
            _compute(model, store, device, file, view)
            trunk = model.network.trunk
            width = int(np.load(file, mmap_mode="r").shape[1])
            parameters = sum(p.numel() for p in trunk.parameters())
            found = Backbone(spec=model.preprocess.spec, features=width, parameters=parameters)
            write_file(card, found.model_dump_json().encode())
            contents = compute_digests(card.parent, (file.name, card.name))
            write_digests(card.parent, contents, _contents_name(card))  # last: it says that the features are whole
    features: np.memmap[Any, np.dtype[np.float32]] = np.load(file, mmap_mode="c")
    return features


def _record_file(config: TrialConfig, store: Store, device: torch.device, view: View = View.PLAIN) -> Path:
    """The record's file, below the fingerprint of the images: a store that is built again uses it, too."""
    fit = f"-{config.fit}" if store.summary.fit_matters else ""
    seen = "" if view is View.PLAIN else f"-{view}"
    name = f"{config.model.replace('/', '-')}-{config.input_size or 'auto'}{fit}-{precision(device)}{seen}"
    return cache_folder() / "features" / store.summary.fingerprint / (name + ".json")


def _contents_name(card: Path) -> str:
    return card.with_suffix(".contents.json").name


def _compute(model: Classifier, store: Store, device: torch.device, file: Path, view: View) -> None:
    beside = file.with_suffix(".partial.npy")
    remove_tree(beside)
    model.eval()
    size = evaluation_chunk(device, model.preprocess.spec.pixels)
    out: NDArray[np.float32] | None = None
    count = len(store.labels)
    for start in range(0, count, size):
        rows = np.arange(start, min(start + size, count))
        images = training_images(store, rows, model.preprocess.spec.square_fit)
        features = embed(model, torch.from_numpy(images).to(device), view)
        if out is None:
            shape = (count, features.shape[1])
            out = np.lib.format.open_memmap(beside, mode="w+", dtype=np.float32, shape=shape)
        out[start : start + size] = features.float().cpu().numpy()
    beside.rename(file)


@torch.inference_mode()
def embed(model: Classifier, images: Tensor, view: View = View.PLAIN) -> Tensor:
    """Features (b, f) of uint8 images (b, c, h, w)."""
    inputs = model.preprocess(images)
    if view is View.MIRRORED:
        inputs = inputs.flip(-1)
    with autocast(images.device):
        features: Tensor = model.network.trunk(inputs)
    return features
