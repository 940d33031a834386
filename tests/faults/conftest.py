"""A search to do faults to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.faults.driver import Driver
from tests.helpers.faults.invariant import check_nothing_left
from tests.helpers.servers.gcs_server import gcs  # noqa: F401  # fixtures
from tests.helpers.servers.s3_server import bucket, s3_server, store  # noqa: F401  # fixtures


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    found = Driver(tmp_path)
    yield found
    try:
        check_nothing_left(found.mark)
    finally:
        found.stop()
