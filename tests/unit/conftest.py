"""Unit tests start no Ray, no service and no search."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = Path(__file__).parent
FOREIGN = {"ray_cluster", "searched", "shipped", "attacked", "bucket", "s3_server", "gcs", "postgres", "driver"}
"""Fixtures of other tests."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread for torch: several spin where another process of the same run wants a core."""
    torch = sys.modules.get("torch")  # test modules import it when they are collected
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fail where a test here asks for such a fixture."""
    own = [item for item in items if item.path.is_relative_to(UNIT)]
    costly = [item.nodeid for item in own if FOREIGN & set(getattr(item, "fixturenames", ()))]
    if costly:
        raise pytest.UsageError(f"move to tests/integration, for the fixtures that they use: {', '.join(costly)}")
