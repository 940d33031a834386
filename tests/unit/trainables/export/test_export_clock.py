"""An export's clock says what still fits its seconds."""

import math

import pytest

from trainables.export.export_clock import BUDGET_SPENT, BY_PRIORITY, BudgetSpentError, ExportClock, least_seconds


def test_what_does_not_fit_raises():
    times = iter([100.0, 100.0, 104.0, 106.0, 120.0])
    clock = ExportClock(10.0, lambda: next(times))
    clock.check(10.0)
    with pytest.raises(BudgetSpentError, match=BUDGET_SPENT):
        clock.check(7.0)
    assert clock.share(0.5, most=9.0) == 2.0
    assert clock.left == 0.0


def test_without_a_budget_everything_fits():
    clock = ExportClock()
    clock.check(1e9)
    assert clock.share(0.1, most=15.0) == 15.0
    assert math.isinf(clock.left)


def test_int8_takes_its_ranges_too_and_slow_networks_take_longer():
    assert BY_PRIORITY[:2] == ("onnx", "onnx-int8")
    assert least_seconds("pt2", 100, 0.1) < least_seconds("onnx-int8", 100, 0.1) < least_seconds("onnx-int8", 100, 0.2)
