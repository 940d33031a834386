"""What an architecture costs where it is shipped, and where measured costs are kept: by architecture, not by trial."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from trainables.common.environment import cpu_name, versions_of
from trainables.config import Finite, Frozen, TrialConfig
from trainables.custom.custom_code import is_custom
from trainables.data.store.data_summary import DataSummary
from trainables.models.model_registry import MODELS, OwnModel
from trainables.storage.cache import cache_folder, read_cached, write_cached

CostKind = Literal["count", "run"]
"""`count` only counts parameters; `run` exports the network and runs it as well."""
SHAPING_FIELDS = ("model", "input_size", "tta")
"""Fields of `TrialConfig` that shape every shipped network; `ScratchModel.shaped_by` names each model's own."""
LATENCY_DEFINITION = (
    "latency is the time from one raw image to its probabilities, on one thread: the median of the faster half of the "
    "runs after warm-up, as other work on the machine can only slow a run down"
)
"""Definition of latency for all files, in all tables and limits."""
COST_PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxscript", "onnxruntime")


class Architecture(Frozen):
    """A network as it would be exported, without its weights; configurations that differ in training share one."""

    config: TrialConfig
    """What shapes the network; every other field is at its default."""
    classes: int
    """Number of classes."""
    channels: int
    """Of the stored images: 1 or 3."""
    height: int
    """Of the stored images, in pixels."""
    width: int
    """Of the stored images, in pixels."""
    aspect_kept: bool = False
    """Whether images become squares in a way that is chosen; a file is measured on squares, which stay as they are."""
    store_side: int = 0
    """The data's option of that name."""


class ArchitectureCost(Finite):
    """Cost of a network on one thread of this CPU; it does not depend on the weights."""

    parameters: int = Field(ge=0)
    """Numbers in its weights, trained or frozen."""
    size_mb: float | None = Field(None, gt=0)
    """Size of the ONNX file, in 10^6 bytes; None if only parameters were counted."""
    latency_ms: float | None = Field(None, gt=0)
    """`LATENCY_DEFINITION`, of the float32 ONNX file, in ms."""
    memory_mb: float | None = None
    """Growth, in 10^6 bytes, of the peak resident memory of a fresh process that loads the file and runs it."""
    runs: int = 0
    """Timed runs."""


class BenchmarkError(RuntimeError):
    """A network could not be measured; its text is the reason."""


def shaping_fields(model: str) -> tuple[str, ...]:
    """Fields of `TrialConfig` that shape the shipped network of `model`."""
    own = ("custom",) if is_custom(model) else ()
    return SHAPING_FIELDS + (MODELS[model].shaped_by if model in MODELS else own)


def describe_network(config: TrialConfig) -> str:
    """The model and what shapes it, such as `convnet, width=8, depth=2, activation=relu, batch_norm=True, tta=True`."""
    shape = config.model_dump(include=set(shaping_fields(config.model)) - {"custom"}) | config.custom
    always = (*shaping_fields(config.model)[len(SHAPING_FIELDS) :], *config.custom)
    shown = [f"{name}={value}" for name, value in shape.items() if name in always or (value and name != "model")]
    return ", ".join([config.model, *shown])


def architecture_of(config: TrialConfig, data: DataSummary) -> Architecture:
    """The architecture that `config` trains on `data`, without the fields that its model does not use."""
    shape = config.model_dump(include=set(shaping_fields(config.model)))
    return Architecture(
        config=TrialConfig(**shape), classes=len(data.classes), channels=data.channels,
        height=data.height, width=data.width, aspect_kept=data.fit_matters, store_side=data.options.store_side,
    )  # fmt: skip


def cache_file(architecture: Architecture, kind: CostKind) -> Path:
    """Cache file of a measured cost; another CPU, package version or source code has another file."""
    shape = architecture.config.model_dump(include=set(shaping_fields(architecture.config.model)))
    code = [entry.digest] if isinstance(entry := MODELS.get(architecture.config.model), OwnModel) else []
    whole = [architecture.model_dump(exclude={"config"}), shape, kind, *_environment(), *code]
    name = hashlib.blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=16).hexdigest()
    return cache_folder() / "architectures" / f"{name}.json"


@lru_cache(maxsize=1)
def _environment() -> tuple[str, ...]:
    """What a cost depends on besides the architecture: the CPU, package versions, the code that builds and exports."""
    root = Path(__file__).parents[2]
    sources = [*sorted((root / "models").glob("*.py")), *sorted((root / "export").rglob("*.py"))]
    code = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=16).hexdigest()
    return cpu_name(), *versions_of(COST_PACKAGES).values(), code


class CachedCost(Frozen):
    """A measured cost as it is cached, with what it was measured of."""

    network: str
    """`describe_network` of it."""
    environment: tuple[str, ...]
    """What it depends on besides the network."""
    cost: ArchitectureCost
    """What was measured."""


def read_cost(architecture: Architecture, kind: CostKind) -> ArchitectureCost | None:
    """Cached cost, or None; an unreadable record counts as missing."""
    kept = read_cached(cache_file(architecture, kind), CachedCost)
    return kept.cost if kept else None


def write_cost(architecture: Architecture, kind: CostKind, cost: ArchitectureCost) -> None:
    """Cache a measured cost; the file is replaced atomically."""
    network = describe_network(architecture.config)
    write_cached(cache_file(architecture, kind), CachedCost(network=network, environment=_environment(), cost=cost))
