"""Every command's help and errors, as somebody at a terminal sees them."""

import os
import subprocess
import sys

import pytest

from searchspace.__main__ import COMMANDS as OVERVIEW
from searchspace.__main__ import MODULES
from searchspace.stopping.rules import SCHEDULERS
from tests.helpers.module_commands import COLUMNS, LINES, ROOT, SCREENS, call
from trainables.common.errors import suggest

COMMANDS = (
    "run", "data", "leaderboard", "report", "replay", "export", "predict", "serve", "submit", "track",
    "cluster.clouds.prepare_aws",
)  # fmt: skip
OF_NODES = {"cluster.clouds.spot", "storage.folder_contents"}
"""Commands that cluster files run on nodes, and nobody types."""


def test_no_command_is_left_out():
    runnable = [p for p in (ROOT / "searchspace").rglob("*.py") if '__name__ == "__main__"' in p.read_text()]
    modules = [path.relative_to(ROOT / "searchspace").with_suffix("") for path in runnable]
    names = {".".join(m.parts[:-1] if m.name == "__main__" else m.parts) for m in modules}
    assert names - {""} == {MODULES.get(name, name) for name in COMMANDS} | OF_NODES
    assert {*OVERVIEW} == {*COMMANDS}, "`searchspace` lists them all"


def test_the_package_itself_says_what_commands_there_are_and_runs_them():
    said = package()
    assert said.returncode == 0
    assert all(f"searchspace {name} " in said.stdout for name in COMMANDS)
    assert max(map(len, said.stdout.splitlines())) <= COLUMNS
    assert package("leaderboard", "--help").stdout == call("leaderboard", "--help").stdout
    wrong = package("leaderbord")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'leaderboard'?" in wrong.stderr
    assert package("run", "--trials", "0").returncode == 2


def package(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "searchspace", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": str(COLUMNS)},
    )  # fmt: skip


@pytest.mark.parametrize("module", COMMANDS)
def test_help_fits_two_screens_and_shows_an_example(module):
    done = call(MODULES.get(module, module), "--help")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines) <= SCREENS * LINES, f"{len(lines)} lines; shorten by some words: {nearly_fitting(lines)}"
    assert max(map(len, lines)) <= COLUMNS
    assert f"searchspace{'.' if '.' in module else ' '}{module} " in done.stdout.split("Example:")[1]
    assert "<bool>" not in done.stdout, "a flag takes no value"


def nearly_fitting(lines: list[str]) -> str:
    """Options whose text needs another line for few words, those that need least first."""
    option, rests = "", {}
    for line in lines:
        text = line.strip("│ ")
        if text.startswith("--"):
            option = text.split()[0]
        elif line.startswith("│ ") and option:
            rests[option] = text
    return ", ".join(sorted(rests, key=lambda name: len(rests[name])))


def test_help_that_is_too_long_names_what_to_shorten():
    lines = [
        "│ --a  N  A text that needs",
        "│         another line",
        "│ --b  N  fits",
        "│ --c  N  Nearly",
        "│         did",
    ]
    assert nearly_fitting(lines) == "--c, --a"


def test_help_of_run_groups_its_options_and_shows_defaults():
    said = call("run", "--help").stdout
    for panel in ("What to search", "How long", "Proof", "Where it runs", "What is kept"):
        assert f"─ {panel} ─" in said
    flat = " ".join(said.replace("│", " ").split())
    for default in ("digits.", "64.", "18.", "asha.", "results.", "10."):
        assert f"Default: {default}" in flat


WRONG = {
    ("run", "--scheduler", "ashaa"): f"--scheduler 'ashaa': not one of {', '.join(SCHEDULERS)}; did you mean 'asha'?",
    ("run", "--metric", "accurcy"): "did you mean 'accuracy'?",
    ("run", "--set", "lrr=1"): "did you mean 'lr'?",
    ("run", "--set", "optimizer=adamW"): "not one of sgd, adamw, muon; did you mean 'adamw'?",
    ("run", "--objectives", "accuracy,latncy"): "did you mean 'accuracy,latency'?",
    ("run", "--schedular", "asha"): "--schedular: no such option; did you mean '--scheduler'?",
    ("run", "--trials", "many"): "--trials 'many': expected a whole number from 1 to 1000000 (default: 64)",
    ("run", "--sampler", "bayes"): "not one of auto, tpe, gp, cmaes, random; did you mean 'tpe'?",
    ("run", "--results", ""): "--results '': is empty; give a folder or a URL",
    ("run", "something"): "unexpected extra argument(s) (something)",
    ("run", "--trials"): "'--trials' requires an argument",
    ("replay",): "missing argument",
    ("export", "results/none"): "'results/none': holds no search",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_an_error_is_one_line_that_says_what_was_meant(arguments):
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert WRONG[arguments] in line


def test_the_nearest_name_is_suggested_and_nothing_far_off():
    assert suggest("RESNT", ["convnet", "resnet"]) == "; did you mean 'resnet'?"
    assert suggest("zzz", ["convnet", "resnet"]) == ""
