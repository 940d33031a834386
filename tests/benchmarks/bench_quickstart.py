"""A newcomer's path by the clock: the seconds of each step of docs/quickstart.md, its commands as they stand.

    python tests/benchmarks/bench_quickstart.py

With a home and a cache of its own, which are empty at the start, and a folder of made photographs. What needs a network
(the clone and the installation) is not run.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import write_record
from tests.helpers.documents.quickstart import newcomers_environment, read_steps, run_step, write_newcomers_photos


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-quickstart-") as folder:
        place = Path(folder)
        write_newcomers_photos(place / "photos")
        environment = newcomers_environment(place / "home", place / "cache")
        seconds = {}
        for step in read_steps():
            if step.is_run:
                seconds[step.title], _ = run_step(step, place, environment)
                print(f"{step.title}: {seconds[step.title]:.1f} s", flush=True)
    print(write_record("bench_quickstart", {"seconds": seconds}, [], n=1))


if __name__ == "__main__":
    main()
