"""The features of a frozen backbone: read from disk, or computed by all gangs of a node together."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from trainables.config import TrialConfig
from trainables.data.loading.square_maker import training_images
from trainables.data.store.file_digests import compute_digests, write_digests
from trainables.data.store.store import Store
from trainables.models.build_model import build_model
from trainables.models.classifier import Classifier
from trainables.storage.files import write_file
from trainables.storage.folders import remove_tree
from trainables.training.features.feature_chunks import compute_chunks, join_chunks
from trainables.training.features.feature_set import Backbone, Features, FeatureSet, View, wanted_views
from trainables.training.features.runtime import choose_runtime, embedder, known_runtime


def known_backbone(config: TrialConfig, store: Store, device: torch.device, view: View = View.PLAIN) -> Backbone | None:
    """The backbone of the configuration, if its features are on disk and undamaged; else None."""
    runtime = known_runtime(config, device)
    return None if runtime is None else FeatureSet.of(config, store, view, runtime.label).read_backbone()


def expected_seconds(config: TrialConfig, store: Store, device: torch.device) -> float:
    """Seconds that this process alone would need for the features of `config`'s views that are not on disk.

    Measured on a sample of the images where this backbone has not run on this machine.
    """
    missing = sum(known_backbone(config, store, device, view) is None for view in wanted_views(config))
    if not missing:
        return 0.0
    runtime = known_runtime(config, device) or choose_runtime(_load(config, store, device), config, store, device)
    return missing * len(store.labels) / runtime.images_per_second


def feature_views(
    config: TrialConfig, store: Store, device: torch.device, on_step: Callable[[], None] = lambda: None
) -> list[Features]:
    """Features of each view that a closed-form head is fitted to; those that are missing are computed."""
    return [frozen_features(None, config, store, device, view, on_step) for view in wanted_views(config)]


def frozen_features(
    model: Classifier | None, config: TrialConfig, store: Store, device: torch.device, view: View = View.PLAIN,
    on_step: Callable[[], None] = lambda: None,
) -> np.memmap[Any, np.dtype[np.float32]]:  # fmt: skip
    """Features (images, features) of train, then val, memory-mapped; all callers on a node compute them together.

    `model` is the classifier on the device, or None where it is to be loaded if the features are missing. `on_step` is
    called between chunks, and may raise to end the work.
    """
    runtime = known_runtime(config, device)
    if runtime is None or FeatureSet.of(config, store, view, runtime.label).read_backbone() is None:
        model = model or _load(config, store, device)
        runtime = choose_runtime(model, config, store, device)
        embed, fit = embedder(model, runtime), model.preprocess.spec.square_fit

        def compute(rows: NDArray[np.int64]) -> Features:
            images = torch.from_numpy(training_images(store, rows, fit)).to(device)
            return embed(images, view).numpy()

        wanted, count = FeatureSet.of(config, store, view, runtime.label), len(store.labels)
        compute_chunks(wanted.chunks, count, compute, lambda: wanted.read_backbone() is not None, on_step)
        _publish(wanted, model, count)
    file = FeatureSet.of(config, store, view, runtime.label).array
    features: np.memmap[Any, np.dtype[np.float32]] = np.load(file, mmap_mode="c")
    return features


def _load(config: TrialConfig, store: Store, device: torch.device) -> Classifier:
    return build_model(config, store.summary).to(device).to(memory_format=torch.channels_last)


def _publish(wanted: FeatureSet, model: Classifier, count: int) -> None:
    """Join the chunks to the set's files, unless another process has."""
    with FileLock(str(wanted.lock)):
        if wanted.read_backbone() is None:
            for odd in (wanted.record, wanted.array, wanted.digests):
                remove_tree(odd)
            join_chunks(wanted.chunks, count, wanted.array)
            width = int(np.load(wanted.array, mmap_mode="r").shape[1])
            parameters = sum(p.numel() for p in model.network.trunk.parameters())
            found = Backbone(spec=model.preprocess.spec, features=width, parameters=parameters)
            write_file(wanted.record, found.model_dump_json().encode())
            contents = compute_digests(wanted.record.parent, (wanted.array.name, wanted.record.name))
            write_digests(wanted.record.parent, contents, wanted.digests.name)
        remove_tree(wanted.chunks)
