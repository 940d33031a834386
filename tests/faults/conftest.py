"""A search to do faults to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.driver import Driver
from tests.faults.invariant import check_nothing_left


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    found = Driver(tmp_path)
    yield found
    try:
        check_nothing_left(found.mark)
    finally:
        found.stop()
