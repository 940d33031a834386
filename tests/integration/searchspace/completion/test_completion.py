"""Shells complete command lines: bash as it is run, the others by what they ask and are answered."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from searchspace.cli.commands import COMMANDS
from searchspace.cli.options import flag_of
from searchspace.completion.candidates import find_candidates
from searchspace.completion.option_table import NAMING_SEARCHES, Parameter, open_table, read_parameters
from searchspace.spec import SearchSpec
from tests.helpers.repository import ROOT
from trainables.storage.cache import cache_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with two searches and an image, and the program on the path."""
    place = tmp_path_factory.mktemp("completed")
    for name in ("digits-1", "birds"):
        (place / "results" / name).mkdir(parents=True)
        (place / "results" / name / "search.json").write_text("{}")
    (place / "photo.jpg").write_bytes(b"")
    program = place / "bin" / "searchspace"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m searchspace "$@"\n')
    program.chmod(0o755)
    return place


@pytest.fixture
def run(place, cache):
    def run(*command: str, **variables: str) -> str:
        environment = os.environ | variables | {
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "SEARCHSPACE_CACHE": str(cache),
        }  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=place)
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.fixture
def press_tab(run):
    """What bash offers at the end of a command line, as its own completion would."""

    def press_tab(line: str) -> list[str]:
        words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
        script = f"""
eval "$(searchspace completion bash)"
COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}
read -ra spec <<< "$(complete -p searchspace)"
[ "${{spec[*]}}" = "complete -o default -F ${{spec[4]}} searchspace" ] || exit 1
"${{spec[4]}}" searchspace
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        return run("bash", "--norc", "-c", script).split()

    return press_tab


LINES = {
    "searchspace ": list(COMMANDS),
    "searchspace lea": ["leaderboard"],
    "searchspace run --max-e": ["--max-epochs"],
    "searchspace run --scheduler ": ["asha", "pasha", "median", "none"],
    "searchspace run --models convnet,r": ["convnet,resnet"],
    "searchspace run --resume d": ["digits-1"],
    "searchspace leaderboard ": ["birds", "digits-1", "latest"],
    "searchspace report results/b": ["results/birds"],
    "searchspace predict birds --format ": ["text", "csv", "json"],
    "searchspace submit --cluster a.yaml -- --grace": ["--grace-epochs"],
    "searchspace data pho": [],
    "searchspace completion f": ["fish"],
}
"""What is offered; where nothing is, bash offers files."""


@pytest.mark.parametrize("line", LINES)
def test_bash_completes(press_tab, line):
    assert press_tab(line) == LINES[line]


def test_other_shells_get_what_they_ask_for(run):
    zsh = run("searchspace", _SEARCHSPACE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="searchspace run --fol")
    assert zsh.startswith("_arguments '*: :((")
    assert '"--folds":"Folds of the finalists' in zsh
    asked = {"_TYPER_COMPLETE_ARGS": "searchspace run --fol", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    fish = run("searchspace", _SEARCHSPACE_COMPLETE="complete_fish", **asked)
    assert fish.startswith("--follow-links\tLet links lead out")
    for shell in ("zsh", "fish"):
        assert f"_SEARCHSPACE_COMPLETE=complete_{shell}" in run("searchspace", "completion", shell)


def test_the_table_has_every_option_and_is_made_once(cache):
    table = open_table()
    assert table.keys() == COMMANDS.keys()
    flags = {each.flag for each in table["run"]}
    assert flags >= {flag_of(SearchSpec, name) for name in SearchSpec.model_fields if name != "study"}
    assert {each.name for found in table.values() for each in found} >= NAMING_SEARCHES
    (file,) = (cache_folder() / "completion").glob("*.json")
    made = file.stat().st_mtime_ns
    assert open_table() == table
    assert file.stat().st_mtime_ns == made
    file.write_text("{")
    assert open_table() == table, "a damaged one is made again"
    assert list(read_parameters("predict")) == table["predict"]


def test_of_a_list_the_last_name_is_completed():
    names = Parameter("models", "--models", choices=("convnet", "resnet"), is_list=True)
    assert list(find_candidates(names, "convnet,")) == ["convnet,resnet"]
    assert list(find_candidates(names, "con")) == ["convnet"]
    single = Parameter("metric", "--metric", choices=("f1_macro",))
    assert list(find_candidates(single, "accuracy,")) == []
