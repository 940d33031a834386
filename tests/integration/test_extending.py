"""What `docs/extending.md` and its second half say is added to a copy of the packages, where their tests run."""

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.helpers.extension_walk import DOCUMENTS, Block, add_blocks, copy_packages, read_blocks, run_python
from tests.helpers.repository import ROOT


@dataclass(frozen=True)
class Addition:
    """One of the document's examples."""

    section: str
    """Beginning of its heading."""
    tests: str
    """Which tests of the registry concern it: a file, and names of tests as `pytest -k` takes them."""
    in_help: str
    """What `--help` says of it; empty if it is no option's value."""
    left_out: str
    """A part of its code, or the file of a block, that the incomplete entry lacks."""
    advice: str
    """What the registry's test says of that."""


ADDITIONS = {
    "kappa": Addition(
        "A metric", "metrics/test_scores.py", "kappa",
        "tests/unit/trainables/metrics/test_scores.py", "give its formula in scikit-learn",
    ),
    "pooled": Addition(
        "A model", "models/test_model_registry.py", "pooled",
        "tests/helpers/model_configs.py", "add a small configuration to CONFIGS",
    ),
    "pixel-csv": Addition(
        "A data layout", "data/sources/test_source_registry.py", "a .csv file of pixels",
        "a .csv file of pixels", "say in one clause what it is",
    ),
    "fade": Addition(
        "An augmentation", "augmentation/test_augment.py", "",
        "trainables/config.py", "add the field of that name to TrialConfig",
    ),
    "top_half": Addition(
        "An early-stopping rule", "stopping/test_rule_contract.py", "top_half",
        "def standing(", "abstract method",
    ),
}  # fmt: skip
OTHERS = ("A sampler", "A leaderboard format", "A section of the report", "A corruption")
"""Sections whose examples are added, too, for the type checker."""
CONTRACTS = [
    *(f"tests/unit/trainables/{ADDITIONS[name].tests}" for name in ("kappa", "pooled", "pixel-csv", "fade")),
    f"tests/unit/searchspace/{ADDITIONS['top_half'].tests}",
    "tests/unit/trainables/training/test_snapshot.py",
]
NAMES = " or ".join([*ADDITIONS, "the_layout_that_takes_any", "file_that_no_layout", "earlier_versions"])
RUN = ["-m", "pytest", "-p", "no:cacheprovider", "-k", NAMES, *CONTRACTS]


def leave_out(block: Block, addition: Addition) -> Block | None:
    """The block without what the incomplete entry lacks; None if it lacks the whole block."""
    if block.path == addition.left_out:
        return None
    instead = {"def standing(": "def standing_of("}.get(addition.left_out, "")
    return replace(block, text=block.text.replace(addition.left_out, instead))


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy with all additions, its imports sorted as the document says."""
    root = copy_packages(tmp_path_factory.mktemp("extended"))
    for section in (*(addition.section for addition in ADDITIONS.values()), *OTHERS):
        add_blocks(root, read_blocks(section))
    linted = run_python(root, "-m", "ruff", "check", "--fix", ".")
    assert linted.returncode == 0, linted.stdout
    return root


@pytest.fixture(scope="module")
def incomplete(tmp_path_factory) -> subprocess.CompletedProcess[str]:
    """The registries' tests on a copy in which each addition lacks something."""
    root = copy_packages(tmp_path_factory.mktemp("incomplete"))
    for addition in ADDITIONS.values():
        add_blocks(root, read_blocks(addition.section), lambda block, addition=addition: leave_out(block, addition))
    return run_python(root, *RUN)


def test_the_examples_are_taken_by_the_registries_tests(extended):
    ran = run_python(extended, *RUN, "-v", "--color=no")
    assert ran.returncode == 0, ran.stdout[-4000:]
    for name, addition in ADDITIONS.items():
        assert re.search(rf"{re.escape(addition.tests)}::\w+\[.*{name}.*PASSED", ran.stdout), f"no test met {name!r}"


def test_help_names_the_examples(extended):
    ran = run_python(extended, "-m", "searchspace.run", "--help-all")
    said = " ".join(re.sub(r"[│\s]+", " ", ran.stdout).split())
    assert [addition.in_help for addition in ADDITIONS.values() if addition.in_help not in said] == []


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_incomplete_entry_is_told_what_it_lacks(incomplete, name):
    assert incomplete.returncode == 1
    told = [line for line in incomplete.stdout.splitlines() if name in line and ADDITIONS[name].advice in line]
    assert told, incomplete.stdout[-4000:]


@pytest.mark.slow
def test_the_examples_are_well_typed(extended):
    ran = run_python(extended, "-m", "mypy", "searchspace", "trainables")
    assert ran.returncode == 0, ran.stdout[-4000:]
    formatted = run_python(extended, "-m", "ruff", "format", "--check", "searchspace", "trainables")
    assert formatted.returncode == 0, formatted.stdout


def test_every_registry_of_the_document_exists():
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    for name, path in re.findall(r"`([A-Z_]+)`\s+\(`([\w/]+\.py)`\)", text):
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(), re.MULTILINE), f"{path} has no {name}"
