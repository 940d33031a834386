"""What can be done with a search when it is over: replayed, a stopped trial revived, done again to the bit."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from optuna.trial import TrialState

from searchspace.spec import load_spec
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import read_curve, read_standing
from tests.helpers.commands import command


@pytest.fixture
def copied(searched, tmp_path) -> Path:
    """The small search, in a place where its study may change; its data set lies beside it."""
    shutil.copytree(searched[0].parent.parent, tmp_path / "place")
    return tmp_path / "place"


def test_a_search_is_replayed(copied, cache):
    done = command("replay", "results/first", "--format", "json", home=copied, cache=cache, cwd=copied)
    rows = json.loads(done.stdout)
    study = load_study(load_spec(copied / "results" / "first"), copied / "results" / "first")
    assert rows[0]["epochs"] <= sum(len(read_curve(trial)) for trial in study.trials)
    assert rows[0]["time"] == "100%"
    assert {row["scheduler"] for row in rows} == {"asha", "pasha"}


def test_a_stopped_trial_is_revived_as_a_trial_of_its_own(copied, cache):
    folder = copied / "results" / "first"
    before = load_study(load_spec(folder), folder).trials
    number = next(t.number for t in before if t.state == TrialState.PRUNED and read_standing(t))
    arguments = ("run", "--results", "results", "--resume", "first", "--revive")
    done = command(*arguments, str(number), home=copied, cache=cache, cwd=copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"trial {number}, revived as trial {len(before)}, scored" in done.stdout
    *same, revived = load_study(load_spec(folder), folder).trials
    assert [(t.number, t.state, t.intermediate_values) for t in same] == [
        (t.number, t.state, t.intermediate_values) for t in before
    ], "what was over stays as it was"
    assert revived.state == TrialState.COMPLETE
    assert [report.epoch for report in read_curve(revived)] == [1, 2, 3, 4, 5, 6]
    assert read_curve(revived)[: len(read_curve(before[number]))] == read_curve(before[number]), "it went on from there"
    complete = next(t.number for t in before if t.state == TrialState.COMPLETE)
    refused = command(*arguments, str(complete), home=copied, cache=cache, cwd=copied)
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert f"--revive {complete}: not a stopped trial of 'first'" in refused.stderr


@pytest.mark.slow
def test_on_one_slot_the_same_seed_is_the_same_search_to_the_bit(cache, tmp_path):
    def facts(name: str) -> tuple[list, str]:
        done = command(
            "run", "--trials", "8", "--max-concurrent", "1", "--max-epochs", "6", "--grace-epochs", "1", "--finalists",
            "2", "--final-seeds", "1", "--models", "convnet", "--set", "width=8", "--audit", "0.2", "--name", name,
            home=tmp_path, cache=cache, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        folder = tmp_path / "results" / name
        trials = [
            (t.number, t.state, t.params, [(r.epoch, r.score, r.val_loss, r.train_loss) for r in read_curve(t)],
             t.user_attrs.get("reason"), t.user_attrs.get("standing"))
            for t in load_study(load_spec(folder), folder).trials
        ]  # fmt: skip
        return trials, hashlib.sha256((folder / "winner" / "model.safetensors").read_bytes()).hexdigest()

    assert facts("one") == facts("two")
