"""Activations of the frozen lower part of a network: computed once a node for every image and view, and cached.

They take two bytes a number: bf16 where networks run in it, which loses nothing, and float16 elsewhere.
"""

import shutil
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.common.background import Item
from trainables.config import TrialConfig
from trainables.data.loading.input_loader import InMemoryLoader, InputLoader, Rows, make_loader
from trainables.data.store.file_digests import compute_digests, find_damage, write_digests
from trainables.data.store.store import Store
from trainables.models.preprocess import Preprocess
from trainables.storage.cache import cache_folder
from trainables.storage.folders import make_folder, remove_tree
from trainables.training.device import autocast, evaluation_chunk, precision, uses_bf16
from trainables.training.features.feature_chunks import compute_chunks, join_chunks
from trainables.training.partial.cached_views import view_inputs

DISK_SHARE = 0.25
"""Of the free disk, at most, that one view's activations take; where they need more, they are computed each time.
While their chunks are joined, they are there twice."""
FLOAT16_MAX = float(torch.finfo(torch.float16).max)


@dataclass(frozen=True)
class LowerPart:
    """What lower layers make of the images of a data set."""

    config: TrialConfig
    """Names the backbone and its input."""
    cut: str
    """Names the lower part among those of its backbone."""
    layers: nn.Module
    """The layers, frozen."""
    preprocess: Preprocess
    """What comes before them."""
    store: Store
    """The images."""
    device: torch.device
    """Where they are computed."""

    @property
    def labels(self) -> Tensor:
        """Labels of the images, on the device."""
        return torch.from_numpy(self.store.labels).to(self.device)

    @torch.inference_mode()
    def compute(self, rows: Rows, view: int) -> Tensor:
        """Activations of one view of the images at `rows`, in 16-bit numbers; maps (b, c, h, w) in channels-last."""
        self.layers.eval()
        inputs = view_inputs(self.preprocess, self.store, rows, view, self.device)
        with autocast(self.device):
            found: Tensor = self.layers(inputs)
        if found.ndim == 4:
            found = found.contiguous(memory_format=torch.channels_last)
        return found.to(torch.bfloat16) if uses_bf16(self.device) else found.clamp(-FLOAT16_MAX, FLOAT16_MAX).half()


@dataclass(frozen=True)
class ViewsLoader(InputLoader):
    """Activations of several views: row `r` of the `i`-th view has the number `r + i * images`."""

    views: tuple[InputLoader | int, ...]
    """Each view's activations, 16-bit numbers as int16, channels last; or its number, if computed each time."""
    lower: LowerPart
    """Computes them."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that the activations take."""
        return sum(view.memory_bytes for view in self.views if isinstance(view, InputLoader))

    def load(self, rows: Rows) -> Tensor:
        """Activations of `rows`, on the device: in bf16 where networks run in it, else in float32."""
        places, own = np.divmod(rows, len(self.labels))
        each = [(place, np.flatnonzero(places == place)) for place in np.unique(places)]
        loaded = [self._load(self.views[place], own[where]) for place, where in each]
        if len(loaded) == 1:
            found = loaded[0]
        else:
            order = np.argsort(np.concatenate([where for _, where in each]))
            found = torch.cat(loaded).index_select(0, torch.from_numpy(order).to(self.labels.device))
        return as_seen(found)

    def _load(self, view: InputLoader | int, rows: Rows) -> Tensor:
        if isinstance(view, int):
            return self.lower.compute(rows, view)
        stored = view.load(rows).view(torch.bfloat16 if uses_bf16(self.lower.device) else torch.float16)
        return stored.permute(0, 3, 1, 2) if stored.ndim == 4 else stored

    def load_ahead(self, wanted: Iterable[tuple[Item, Rows]]) -> Generator[tuple[Item, Tensor], None, None]:
        """Yield each item with the activations of its rows, in order."""
        for item, rows in wanted:
            yield item, self.load(rows)


@dataclass(frozen=True)
class SampledLoader(InMemoryLoader):
    """Activations of some images in place of those of all, for measurements that depend on shapes alone."""

    def load(self, rows: Rows) -> Tensor:
        """Activations of as many images as `rows`, on the device."""
        return super().load(rows % len(self.inputs))


def as_seen(stored: Tensor) -> Tensor:
    """Stored activations as upper layers take them: in bf16, or in float32 where networks run in it."""
    return stored if stored.dtype == torch.bfloat16 else stored.float()


def load_views(
    lower: LowerPart, views: Iterable[int], budget: int, on_step: Callable[[], None] = lambda: None
) -> ViewsLoader:
    """Activations of these views; all callers on a node compute and write them together, if the disk has room.

    They are read into memory as long as they fit `budget` bytes. `on_step` is called between chunks, and may raise to
    end the work.
    """
    loaders: list[InputLoader | int] = []
    for view in views:
        found = _cached(lower, view, on_step)
        if found is None:
            loaders.append(view)
            continue
        loader = make_loader(found, lower.store.labels, lower.device, budget)
        loaders.append(loader)
        budget -= loader.memory_bytes
    return ViewsLoader(labels=lower.labels, views=tuple(loaders), lower=lower)


def is_known(lower: LowerPart, view: int) -> bool:
    """Whether the activations of a view are on disk, undamaged."""
    file = _file(lower, view)
    return not find_damage(file.parent, _contents_name(file))


def _file(lower: LowerPart, view: int) -> Path:
    config, fit = lower.config, f"-{lower.config.fit}" if lower.store.summary.fit_matters else ""
    model = f"{config.model.replace('/', '-')}-{config.input_size or 'auto'}{fit}-{precision(lower.device)}"
    return cache_folder() / "features" / lower.store.summary.fingerprint / f"{model}-{lower.cut}-view-{view}.npy"


def _contents_name(file: Path) -> str:
    return file.with_suffix(".contents.json").name


def _cached(lower: LowerPart, view: int, on_step: Callable[[], None]) -> np.memmap[Any, np.dtype[np.int16]] | None:
    """One view of all images, which all callers on a node compute together; None where the disk has no room for it."""
    file, count = _file(lower, view), len(lower.store.labels)
    chunks = file.with_suffix(".chunks")
    if not is_known(lower, view):
        if not chunks.exists() and not _has_room(lower, file, view):
            return None
        compute_chunks(chunks, count, partial(_compute, lower, view=view), lambda: is_known(lower, view), on_step)
        with FileLock(str(file) + ".lock"):
            if not is_known(lower, view):
                for odd in (file, file.with_name(_contents_name(file))):
                    remove_tree(odd)
                join_chunks(chunks, count, file)
                write_digests(file.parent, compute_digests(file.parent, (file.name,)), _contents_name(file))
            remove_tree(chunks)
    found: np.memmap[Any, np.dtype[np.int16]] = np.load(file, mmap_mode="c")
    return found


def _has_room(lower: LowerPart, file: Path, view: int) -> bool:
    make_folder(file.parent)
    an_image = _compute(lower, np.arange(1), view).nbytes
    return an_image * len(lower.store.labels) <= DISK_SHARE * shutil.disk_usage(file.parent).free


def _compute(lower: LowerPart, rows: Rows, view: int) -> NDArray[np.int16]:
    """One view of the images at `rows`, as it is stored."""
    size = evaluation_chunk(lower.device, lower.preprocess.spec.pixels)
    parts = [lower.compute(part, view) for part in np.split(rows, range(size, len(rows), size))]
    plain = [found.permute(0, 2, 3, 1) if found.ndim == 4 else found for found in parts]
    return np.concatenate([part.view(torch.int16).cpu().numpy() for part in plain])
