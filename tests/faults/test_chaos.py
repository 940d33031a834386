"""Everything at once: 64 trials, and every few seconds something dies."""

import json
import random
import signal
import time

import pytest

from tests.helpers.faults.invariant import check

ROLES = ("worker", "controller", "trial", "broker", "driver", "interrupt")
FAULTS = 8
"""Of one search."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chaos_costs_time_and_nothing_else(driver, seed):
    rng = random.Random(seed)
    driver.start(
        "--trials", "64", "--max-epochs", "9", "--models", "convnet", "--final-seeds", "1", "--seed", str(seed)
    )
    for _ in range(FAULTS):
        driver.wait_for(r"gang \d/\d warm|is finished|winner: ")
        time.sleep(rng.uniform(3.0, 9.0))
        if driver.process.poll() is not None:
            break
        role = rng.choice(ROLES)
        if role in {"driver", "interrupt"}:
            driver.signal(signal.SIGKILL if role == "driver" else signal.SIGINT)
            driver.ends()
            driver.resume()
        elif found := driver.find(role):
            rng.choice(found).kill()
    assert driver.ends(600) == 0, driver.output
    check(driver.folder, 64)
    tested = json.loads((driver.folder / "winner" / "metrics.json").read_text())
    assert tested["accuracy"] > 0.97, "as good as searches of digits without faults"
