"""Unit tests start no Ray, no service and no search."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parent
FOREIGN = {"ray_cluster", "searched", "shipped", "attacked", "bucket", "s3_server", "gcs", "postgres", "driver"}
"""Fixtures of other tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fail where a test here asks for such a fixture."""
    own = [item for item in items if item.path.is_relative_to(UNIT)]
    costly = [item.nodeid for item in own if FOREIGN & set(getattr(item, "fixturenames", ()))]
    if costly:
        raise pytest.UsageError(f"move to tests/integration, for the fixtures that they use: {', '.join(costly)}")
