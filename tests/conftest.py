"""Isolation: every test has its own home, cache and Ray token; nothing it starts outlives it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from searchspace.cli.console_log import format_line, logs_shown_by
from tests.helpers.commands import RAY_TOKEN, command
from tests.helpers.images.data_sets import write_images
from tests.helpers.measured_costs import measured  # noqa: F401  # a fixture
from tests.helpers.scheduling import WholeFiles
from trainables.augmentation.augmentation_registry import AUGMENTATIONS
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register
from trainables.data.sources.source_registry import SOURCES
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import Store, open_store, prepare_data
from trainables.export.exported_files import ExportRecord
from trainables.metrics.metric_registry import METRICS
from trainables.models.model_registry import MODELS

if TYPE_CHECKING:
    from trainables.workers.worker_context import WorkerContext

os.environ["HF_HUB_OFFLINE"] = "1"  # the hub's client reads it once, when whichever test imports it first


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run's data stores go; shared by its tests, because stores are read-only once built."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(cache))
    monkeypatch.setenv("RAY_AUTH_TOKEN", RAY_TOKEN)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # so that what MLflow sets during the test is undone after it
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


@pytest.fixture(scope="module", autouse=True)
def own_parts_of_one_file() -> Iterator[None]:
    """What the tests of a file register of a user's own parts, or read of them, is gone for the next file's."""
    registries: list[dict[str, Any]] = [AUGMENTATIONS, METRICS, MODELS, SOURCES]
    before = [dict(registry) for registry in registries]
    yield
    register(CustomCode())
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What this project logs during a test, as the console shows it."""
    lines: list[str] = []
    with logs_shown_by(lambda level, message: lines.append(format_line(level, message))):
        yield lines


@pytest.fixture(scope="session")
def digits(cache: Path) -> DataSummary:
    """The embedded digits, prepared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        return prepare_data("digits")


@pytest.fixture
def digits_store(digits: DataSummary) -> Store:
    return open_store(digits)


@pytest.fixture
def place(digits_store: Store) -> Iterator["WorkerContext"]:
    """One thread, as a gang's worker has; two of them spin where another process wants a core."""
    import torch

    from trainables.training.device import set_precision
    from trainables.workers.worker_context import ProcessGroup, WorkerContext

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    set_precision("fp32")  # what is compared to the last digits is computed alike on every machine
    yield WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), digits_store)
    set_precision("auto")
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def trained(digits: DataSummary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convnet that knows the digits, as a winner's folder."""
    import torch

    from tests.helpers.made_winner import train_winner
    from trainables.config import TrialConfig
    from trainables.workers.worker_context import ProcessGroup, WorkerContext

    folder = tmp_path_factory.mktemp("trained")
    place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(digits))
    config = TrialConfig(width=8, depth=2, lr=0.01, batch_size=64, tta=True)
    train_winner(place, folder, config, epochs=4)
    return folder


@pytest.fixture(scope="session")
def shipped(trained: Path, cache: Path) -> tuple[Path, ExportRecord]:
    """That winner in every format that a CPU can make: its folder, and what was proven and measured."""
    from trainables.common.reporter import SilentReporter
    from trainables.export.exporter import ExportRequest, export_classifier

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        return trained, export_classifier(trained, ExportRequest(max_drop=1.0), SilentReporter())


@pytest.fixture
def colour_folder(tmp_path: Path) -> Path:
    """A small folder data set that colour alone tells apart: 2 classes, 40 images each, one root."""
    root = tmp_path / "colours"
    write_images(root / "red", 40, (20, 24), (200, 60, 60))
    write_images(root / "blue", 40, (20, 24), (60, 60, 200))
    return root


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray instance of its own with two CPUs, whatever the machine has; closed to others as a search's is."""
    import ray

    from searchspace.cluster.connect import WORKER_ENVIRONMENT
    from searchspace.cluster.local_ray import alone
    from searchspace.ray_compat import RAY_VARIABLES

    for name, value in (RAY_VARIABLES | WORKER_ENVIRONMENT).items():
        monkeypatch.setenv(name, value)
    with alone() as options:
        ray.init(num_cpus=2, log_to_driver=False, **options)
        yield
        ray.shutdown()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: a broken function shows before a broken search."""
    slow = {"ray_cluster", "searched"}
    items.sort(key=lambda item: bool(slow & set(getattr(item, "fixturenames", ()))))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    """Of several processes (`pytest -n 2`), one runs a whole file, and all that shares a costly fixture."""
    return WholeFiles(config, log)


@pytest.fixture(scope="session")
def searched(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small search on a folder of images, with a student, done once: its folder, and what it printed."""
    place = tmp_path_factory.mktemp("place")
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200)), ("grey", (120, 120, 120))):
        write_images(place / "colours" / name, 60, (12, 12), colour)
    done = command(
        "run", "--data", "colours", "--trials", "5", "--max-epochs", "6", "--grace-epochs", "1", "--finalists", "2",
        "--final-seeds", "2", "--ensemble", "--name", "first", "--set", "batch_size=16", "--metric", "f1_macro",
        "--distil", "--max-params", "20000", "--formats", "onnx,onnx-int8", "--models", "convnet",
        home=place, cache=cache, cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "results" / "first", done.stdout
