"""Two architectures whose costs the benchmark process has measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables.config import TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import ArchitectureCost, architecture_of
from trainables.export.benchmark.benchmark_client import BenchmarkClient

SMALL, WIDE = TrialConfig(width=8), TrialConfig(width=64, depth=3)


@pytest.fixture(scope="module")
def measured(digits: DataSummary, cache: Path) -> Iterator[dict[TrialConfig, ArchitectureCost]]:
    """Costs of two architectures, from a cache that knew neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        client = BenchmarkClient()
        yield {config: client.measure(architecture_of(config, digits), "run") for config in (SMALL, WIDE)}
        client.close()
