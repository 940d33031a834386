"""Every command's help and errors, as somebody at a terminal sees them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.nearest import suggest

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "run", "leaderboard", "report", "replay", "export", "predict", "serve", "submit", "tracking", "clouds.prepare_aws",
)  # fmt: skip
OF_NODES = {"clouds.spot"}
"""Commands that cluster files run on nodes, and nobody types."""
SCREENS, LINES, COLUMNS = 2, 50, 100


def call(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"searchspace.{module}", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": str(COLUMNS)},
    )  # fmt: skip


def test_no_command_is_left_out():
    runnable = [p for p in (ROOT / "searchspace").rglob("*.py") if '__name__ == "__main__"' in p.read_text()]
    modules = [path.relative_to(ROOT / "searchspace").with_suffix("") for path in runnable]
    names = {".".join(m.parts[:-1] if m.name == "__main__" else m.parts) for m in modules}
    assert names == {*COMMANDS} | OF_NODES


@pytest.mark.parametrize("module", COMMANDS)
def test_help_fits_two_screens_and_shows_an_example(module):
    done = call(module, "--help")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines) <= SCREENS * LINES
    assert max(map(len, lines)) <= COLUMNS
    assert f"python -m searchspace.{module} " in done.stdout.split("Example:")[1]


def test_help_of_run_groups_its_options_and_shows_defaults():
    said = call("run", "--help").stdout
    for panel in ("What to search", "How long", "Proof", "Where it runs", "What is kept"):
        assert f"─ {panel} ─" in said
    flat = " ".join(said.replace("│", " ").split())
    for default in ("digits.", "64.", "18.", "asha.", "results.", "10."):
        assert f"Default: {default}" in flat


WRONG = {
    ("run", "--scheduler", "ashaa"): "--scheduler 'ashaa': not one of asha, pasha, none; did you mean 'asha'?",
    ("run", "--metric", "accurcy"): "did you mean 'accuracy'?",
    ("run", "--set", "lrr=1"): "did you mean 'lr'?",
    ("run", "--set", "optimizer=adamW"): "not one of sgd, adamw, muon; did you mean 'adamw'?",
    ("run", "--objectives", "accuracy,latncy"): "did you mean 'accuracy,latency'?",
    ("run", "--schedular", "asha"): "--schedular: no such option; did you mean '--scheduler'?",
    ("run", "--trials", "many"): "'--trials': Input should be a valid integer",
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
