"""What runs a frozen backbone fastest here, as measured on a few images: PyTorch, or onnxruntime on a CPU."""

import io
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from pydantic import Field
from torch import Tensor, nn

from trainables.config import Frozen, TrialConfig
from trainables.data.loading.square_maker import training_images
from trainables.data.store.store import Store
from trainables.models.classifier import Classifier
from trainables.storage.cache import cache_folder, read_cached, write_cached
from trainables.training.device import autocast, precision
from trainables.training.features.feature_set import View

logger = logging.getLogger(__name__)

SAMPLE = 64
"""Images that runtimes are compared on."""
BATCH = 16
"""Images in one forward pass on a CPU; more gain nothing there."""
GPU_BATCH = 256
TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}
"""Largest distance of another runtime's features from PyTorch's, relative to these, by PyTorch's precision."""
OPSET = 17
Embed = Callable[[Tensor, View], Tensor]
"""Features (n, features), float32 on the CPU, of a view of uint8 images (n, c, h, w)."""


class Runtime(Frozen):
    """The runtime that was chosen for a backbone on this machine."""

    name: Literal["eager", "onnxruntime"]
    """What computes features."""
    precision: str
    """In which precision: `bf16` (autocast) or `fp32`."""
    images_per_second: float
    """Of the chosen one."""
    others: dict[str, float] = Field(default_factory=dict)
    """Images a second of those that were not chosen."""
    threads: int = 1
    """Threads with which they were measured."""

    @property
    def label(self) -> str:
        """A name for files of what it computes."""
        return f"{self.name}-{self.precision}"


def _record(config: TrialConfig, device: torch.device) -> Path:
    name = f"{config.model.replace('/', '-')}-{config.input_size or 'auto'}-{device.type}-{precision(device)}.json"
    return cache_folder() / "features" / "runtimes" / name


def known_runtime(config: TrialConfig, device: torch.device) -> Runtime | None:
    """The runtime that was chosen for the backbone of `config`; None before it was measured."""
    return read_cached(_record(config, device), Runtime)


def choose_runtime(model: Classifier, config: TrialConfig, store: Store, device: torch.device) -> Runtime:
    """The runtime for the backbone of `config`; the first caller on a machine measures, and all others follow it."""
    file = _record(config, device)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(file) + ".lock"):
        found = read_cached(file, Runtime)
        if found is None:
            found = _measure(model, store, device)
            logger.info(f"{config.model}: features by {found.label}, {found.images_per_second:.0f} images/s")
            write_cached(file, found)
    return found


def embedder(model: Classifier, runtime: Runtime) -> Embed:
    """The function that gives features of the backbone of `model` by `runtime`."""
    if runtime.name == "eager":
        return lambda images, view: eager_features(model, images, view)
    session = _session(model.network.trunk, model.preprocess.spec.channels, model.preprocess.spec.side)
    return lambda images, view: _onnxruntime(session, model, images, view)


def _measure(model: Classifier, store: Store, device: torch.device) -> Runtime:
    rows = np.arange(min(len(store.labels), SAMPLE))
    images = torch.from_numpy(training_images(store, rows, model.preprocess.spec.square_fit)).to(device)
    threads, computed_in = torch.get_num_threads(), precision(device)
    eager = Runtime(name="eager", precision=computed_in, images_per_second=0.0, threads=threads)
    reference, rate = _time(embedder(model, eager), images)
    if device.type != "cpu":
        return eager.model_copy(update={"images_per_second": rate})
    other = Runtime(name="onnxruntime", precision="fp32", images_per_second=0.0, threads=threads)
    try:
        found, other_rate = _time(embedder(model, other), images)
    except Exception as error:  # of the exporter or of onnxruntime, which do not know all networks
        logger.debug(f"onnxruntime does not run it: {error}")
        return eager.model_copy(update={"images_per_second": rate})
    distance = float((found - reference).norm() / reference.norm().clamp(min=1e-12))
    if other_rate > rate and distance <= TOLERANCE[computed_in]:
        return other.model_copy(update={"images_per_second": other_rate, "others": {eager.label: rate}})
    return eager.model_copy(update={"images_per_second": rate, "others": {other.label: other_rate}})


def _time(embed: Embed, images: Tensor) -> tuple[Tensor, float]:
    """Features of images, and images a second after a warm-up."""
    embed(images[:BATCH], View.PLAIN)
    started = time.perf_counter()
    features = embed(images, View.PLAIN)
    return features, len(images) / (time.perf_counter() - started)


@torch.inference_mode()
def eager_features(model: Classifier, images: Tensor, view: View = View.PLAIN) -> Tensor:
    """Features (n, features), float32 on the CPU, of uint8 images (n, c, h, w), by PyTorch."""
    model.eval()
    size = BATCH if images.device.type == "cpu" else GPU_BATCH
    found = []
    for part in torch.split(images, size):
        inputs = _inputs(model, part, view)
        with autocast(images.device):
            found.append(model.network.trunk(inputs).float().cpu())
    return torch.cat(found)


@torch.inference_mode()
def _onnxruntime(session: Any, model: Classifier, images: Tensor, view: View) -> Tensor:
    parts = [_inputs(model, part, view).contiguous().numpy() for part in torch.split(images, BATCH)]
    return torch.from_numpy(np.concatenate([session.run(None, {"inputs": part})[0] for part in parts]))


def _inputs(model: Classifier, images: Tensor, view: View) -> Tensor:
    inputs: Tensor = model.preprocess(images)
    return inputs.flip(-1) if view is View.MIRRORED else inputs


def _session(trunk: nn.Module, channels: int, side: int) -> Any:
    """A session of onnxruntime that runs `trunk` on this process's threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other gangs want the cores
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(_export(trunk, channels, side), options, providers=["CPUExecutionProvider"])


def _export(trunk: nn.Module, channels: int, side: int) -> bytes:
    """ONNX model of `trunk`, by the exporter that traces: in less than a second, where the newer one takes ten."""
    stream: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            trunk.eval(), (torch.zeros(2, channels, side, side),), stream, dynamo=False, opset_version=OPSET,
            input_names=["inputs"], output_names=["features"],
            dynamic_axes={"inputs": {0: "images"}, "features": {0: "images"}},
        )  # fmt: skip
    content: bytes = stream.getvalue()
    return content
