"""Seconds that each fault takes which `tests/faults` does to a whole search: until it is resumed, ended and checked.

    python tests/benchmarks/bench_faults.py [--only EXPRESSION]

Each is one slow test: a real search, the fault, and what the search is held to afterwards. Its seconds are the whole
test's, the search included. `--only` is pytest's `-k`. The command fails, and records nothing, where a test fails.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as Xml

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import ROOT, write_record


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="pytest's -k: which tests")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "tests.xml")
        chosen = ["tests/faults", "-m", "slow", "-k", only]
        command = [sys.executable, "-m", "pytest", "-q", *chosen, f"--junitxml={found}"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        seconds = read_seconds(found)
    if code == 0 and seconds:
        print(write_record("bench_faults", {"seconds": seconds}, sys.argv[1:]))
    return code


def read_seconds(file: Path) -> dict[str, float]:
    """Seconds of each test, by its name in words; tests that were not run are left out."""
    cases = Xml.parse(file).iter("testcase")  # pytest has just written it
    return {
        case.attrib["name"].removeprefix("test_").replace("_", " "): round(float(case.attrib["time"]), 1)
        for case in cases
        if case.find("skipped") is None
    }


if __name__ == "__main__":
    sys.exit(main())
