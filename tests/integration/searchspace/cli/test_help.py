"""Every command's help and errors, as somebody at a terminal sees them."""

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from searchspace.cli.commands import COMMANDS, MODULES
from searchspace.cli.options import flag_of
from searchspace.cli.run_options import RunOptions
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import SCHEDULERS
from tests.helpers.module_commands import COLUMNS, LINES, ROOT, SCREENS, call
from trainables.common.errors import suggest

OF_NODES = {"cluster.clouds.spot", "storage.folder_contents"}
"""Commands that cluster files run on nodes, and nobody types."""


def test_no_command_is_left_out():
    runnable = [p for p in (ROOT / "searchspace").rglob("*.py") if '__name__ == "__main__"' in p.read_text()]
    modules = [path.relative_to(ROOT / "searchspace").with_suffix("") for path in runnable]
    names = {".".join(m.parts[:-1] if m.name == "__main__" else m.parts) for m in modules}
    assert names - {""} == {module.removeprefix("searchspace.") for module in MODULES} | OF_NODES


def test_the_package_itself_says_what_commands_there_are_and_runs_them():
    said = package()
    assert said.returncode == 0
    assert all(f"searchspace {name} " in said.stdout for name in COMMANDS)
    assert max(map(len, said.stdout.splitlines())) <= 80
    assert len(said.stdout.splitlines()) <= LINES
    for help_of in (("leaderboard", "--help"), ("help", "leaderboard")):
        assert package(*help_of).stdout == call("leaderboard", "--help").stdout
    assert " Usage: searchspace leaderboard " in package("leaderboard", "--help").stdout
    assert package("cluster.clouds.prepare_aws", "--help").stdout == package("prepare-aws", "--help").stdout
    assert package("--version").stdout == f"searchspace {version('searchspace')}\n"
    wrong = package("leaderbord")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'leaderboard'?" in wrong.stderr
    assert package("run", "--trials", "0").returncode == 2


def package(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "searchspace", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": str(COLUMNS)},
    )  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_two_screens_and_shows_an_example(name):
    done = package(name, "--help")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines) <= SCREENS * LINES, f"{len(lines)} lines; shorten by some words: {nearly_fitting(lines)}"
    assert max(map(len, lines)) <= COLUMNS
    assert f"searchspace {name} " in done.stdout.split("Example:")[1]
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


def test_help_of_run_shows_what_people_use_on_one_screen():
    said = call("run", "--help").stdout
    options = re.findall(r"^│ (--[a-z-]+)", said, re.M)
    more = ["--config", "--like", "--print-config", "--help-all", "--help"]
    assert len(options) == 10 + len(more)
    assert options[10:] == more
    assert len(said.splitlines()) <= LINES
    for text in ("Default: digits.", "Default: 64.", "Default: results."):
        assert text in " ".join(said.replace("│", " ").split())


def test_all_help_of_run_has_every_option_in_its_group():
    said = call("run", "--help-all").stdout
    for panel in ("What to search", "How long", "Proof", "Where it runs", "What is kept", "More options"):
        assert said.count(f"─ {panel} ─") == 1
    assert max(map(len, said.splitlines())) <= COLUMNS
    named = {flag_of(record, n) for record in (SearchSpec, RunOptions) for n in record.model_fields if n != "study"}
    assert set(re.findall(r"^│ (--[a-z-]+)", said, re.M)) == named | {"--help", "--help-all"}
    assert "--help-all" not in call("leaderboard", "--help").stdout, "it shows all"


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
