"""Records of benchmarks are whole and current, and every figure in a text is a record's."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from searchspace.spec import SearchSpec
from tests.helpers.benchmarks.record import INTERVAL, ONCE, RANGE, SHARE, machine_details, nodes
from tests.helpers.figures.marked import differing, rendered, unmarked
from tests.helpers.figures.parts import PARTS
from tests.helpers.figures.records import Records, percent, show, span
from tests.helpers.figures.texts import FILES
from tests.helpers.repository import ROOT
from trainables.config import TrialConfig

FOLDER = ROOT / "results" / "benchmarks"
RECORDS = sorted(FOLDER.glob("*.json"))
WITHOUT_A_GPU_HERE = {"gpu_trial", "gpu_compile", "gpu_export"}
"""Measured on a card that is not at hand, before records had every fact; the text says so."""
MEASURED = re.compile(r"\d ?×|\d images/s|\d ms\b|± ?\d")
"""Units that only a measurement has."""


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


def faults(record: dict[str, Any], old: bool = False) -> list[str]:
    """What a record lacks; `old` ones may lack what is known of the machine and how often it was measured."""
    found = []
    machine = record.get("machine", {})
    facts = ("cpu", "cores") if old else ("cpu", "cores", "memory_gb", "cpu_flags")
    found += [f"machine has no {fact}" for fact in facts if not machine.get(fact)]
    if not old and "+" in record["git_commit"]:
        found.append("its code had changes that no commit has")
    found += [] if isinstance(record.get("n"), int) and record["n"] > 0 else ["no n"]
    found += _spread_faults(record)
    found += _configuration_faults(record)
    script = re.match(r"python (\S+\.py)\b", record["command"])
    if script and not (ROOT / script[1]).is_file():
        found.append(f"{script[1]} is not there")
    return found


def _spread_faults(record: dict[str, Any]) -> list[str]:
    spread, keys = record.get("spread"), {key for key, _ in nodes(record["figures"])}
    shown = {
        RANGE: {"least", "largest"} <= keys,
        INTERVAL: "plus_minus" in keys or {"low", "high"} <= keys or any("95 %" in key for key in keys),
        SHARE: True,
        ONCE: True,
    }
    if spread not in shown:
        return [f"spread is {spread!r}"]
    if (spread == ONCE) != (record.get("n") == 1):
        return [f"spread is {spread!r} of n = {record.get('n')}"]
    return [] if shown[spread] else [f"no figure has the spread {spread!r}"]


def _configuration_faults(record: dict[str, Any]) -> list[str]:
    """Fields of configurations and specifications that this code does not have."""
    found = []
    for key, value in nodes(record["figures"]):
        known = {"config": TrialConfig, "network": TrialConfig, "student": TrialConfig, "spec": SearchSpec}.get(key)
        if known is not None and isinstance(value, dict):
            unknown = sorted(set(value) - set(known.model_fields))
            found += [f"{key}: unknown field {name}" for name in unknown]
    return found


def measurements(record: dict[str, Any]) -> set[float]:
    """Numbers that no two measurements share by chance."""
    return {v for _, v in nodes(record["figures"]) if isinstance(v, float) and len(repr(v).strip("0.")) > 5}


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_is_whole(file):
    assert faults(read(file), file.stem in WITHOUT_A_GPU_HERE) == []


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_names_a_commit_of_this_history(file):
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("no whole history here")
    commit = read(file)["git_commit"].partition("+")[0]
    assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, commit


def test_no_record_repeats_runs_of_another():
    found = [(file.stem, measurements(read(file))) for file in RECORDS]
    repeated = {
        (one, other): shared
        for number, (one, mine) in enumerate(found)
        for other, theirs in found[:number]
        if len(shared := mine & theirs) > 2
    }
    assert repeated == {}


GOOD = {
    "command": "python tests/benchmarks/bench_search.py", "git_commit": "a" * 40, "n": 2, "spread": RANGE,
    "machine": {"cpu": "a", "cores": 2, "memory_gb": 23.5, "cpu_flags": ["avx2"]},
    "figures": {"config": {"model": "convnet"}, "seconds": {"n": 2, "median": 1.0, "least": 0.5, "largest": 2.0}},
}  # fmt: skip
BROKEN = {
    "machine has no cpu_flags": {"machine": {"cpu": "a", "cores": 2, "memory_gb": 23.5}},
    "machine has no memory_gb": {"machine": {"cpu": "a", "cores": 2, "cpu_flags": ["avx2"]}},
    "its code had changes": {"git_commit": "a" * 40 + "+changes"},
    "no n": {"n": None},
    "spread is None": {"spread": None},
    "spread is 'measured once' of n = 2": {"spread": ONCE},
    "no figure has the spread": {"figures": {"seconds": {"n": 2, "median": 1.0}}},
    "config: unknown field schedule": {"figures": GOOD["figures"] | {"config": {"schedule": "cosine"}}},
    "spec: unknown field epochs": {"figures": GOOD["figures"] | {"spec": {"epochs": 3}}},
    "gone.py is not there": {"command": "python tests/benchmarks/gone.py"},
}


def test_what_a_whole_record_is():
    assert faults(GOOD) == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_record_that_lacks_something_is_found(fault):
    assert any(fault in said for said in faults(GOOD | BROKEN[fault]))


def test_this_machine_is_described():
    found = machine_details()
    assert found["memory_gb"] > 0
    assert found["cpu_flags"]


def test_texts_and_records_agree():
    assert differing(FILES, PARTS, Records()) == {}


@pytest.mark.parametrize("file", [*FILES, ROOT / "SECURITY.md"], ids=lambda file: str(file.relative_to(ROOT)))
def test_people_write_no_measured_numbers(file):
    """They belong between markers, where they are a record's."""
    assert [line for line in unmarked(file.read_text()).splitlines() if MEASURED.search(line)] == []


def test_a_number_changed_in_a_text_is_found_and_put_right(tmp_path):
    file = tmp_path / "text.md"
    parts = {"n": lambda records: f"{len(records.all)} records"}
    file.write_text("There are <!-- figures:n -->1,000 records<!-- /figures -->.")
    records = Records()
    assert differing([file], parts, records)[file] == (
        f"There are <!-- figures:n -->{len(RECORDS)} records<!-- /figures -->."
    )
    file.write_text(rendered(file.read_text(), parts, records))
    assert differing([file], parts, records) == {}


def test_the_check_imports_no_torch():
    code = "import runpy, sys; runpy.run_path('tests/benchmarks/figures.py'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00714, "0.0071"), (0.5, "0.500"), (8.806, "8.81"), (46.12, "46.1"), (23542.4, "23,542")],
)
def test_numbers_have_three_digits(value, text):
    assert show(value) == text


def test_a_spread_is_shown_only_where_it_was_measured():
    once = {"n": 1, "median": 0.5, "least": 0.5, "largest": 0.5}
    twice = {"n": 2, "median": 0.5, "least": 0.25, "largest": 0.75}
    assert span(once, " s") == "0.500 s"
    assert span(twice, " s") == "0.500 s (0.250–0.750)"
    assert percent(twice) == "50.0 % (25.0–75.0)"


def test_every_part_is_shown_in_a_text():
    shown = {name for file in FILES for name in re.findall(r"<!-- figures:(\w+) -->", file.read_text())}
    assert PARTS.keys() == shown
