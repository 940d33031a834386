"""What a search bought: which trial its winner is compared with, at what cost, and how that is said."""

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from searchspace.finals.baseline import (
    TRIAL_ORIGIN,
    Baseline,
    find_baseline,
    majority_accuracy,
    majority_score,
    read_baseline,
)
from searchspace.finals.comparison import Comparison
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.finals import run_finals
from searchspace.finals.gain import format_gain, make_gain, read_gain
from searchspace.finals.winner import evaluate_winner, retrain_winner
from searchspace.reporting.model_card.card_file import write_card
from searchspace.reporting.tables.finalists import finalist_roles, finalist_rows
from searchspace.spec import make_spec
from searchspace.study.refusals import Refusal, RefusalReason, record_refusal
from tests.helpers.recording_reporter import Told
from tests.helpers.workbench import CONFIGS, Workbench, make_search, record
from trainables.config import TrialConfig
from trainables.metrics.class_metrics import measure_test_metrics


@pytest.fixture
def study():
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))


def add(study, origin="", lr=0.01, state=TrialState.COMPLETE, refused=""):
    if origin:
        study.enqueue_trial({"lr": lr}, user_attrs={TRIAL_ORIGIN: origin})
    trial = study.ask()
    trial.suggest_float("lr", 1e-4, 1)
    if refused:
        record_refusal(trial, Refusal(reason=RefusalReason.CONSTRAINT, text=refused))
        study.tell(trial, state=TrialState.PRUNED)
        return
    trial.set_user_attr("config", TrialConfig(lr=trial.params["lr"]).model_dump_json())
    study.tell(trial, 0.5 if state == TrialState.COMPLETE else None, state=state)


def found(study, **options):
    trial, is_default = find_baseline(make_spec(name="s", **options), study.trials)
    return trial and trial.number, is_default


def test_the_baseline_is_the_default_configuration(study):
    for origin in ("default", "default", ""):
        add(study, origin, lr=0.1 if origin else 0.2)
    assert found(study) == (0, True)


def test_of_a_warm_started_search_it_is_the_default_and_no_earlier_winner(study):
    add(study, "warm start", lr=0.1)
    add(study, "default", lr=0.2)
    assert found(study, warm_start="earlier") == (1, True)


def test_a_default_that_an_earlier_winner_doubles_is_found_there(study):
    add(study, "warm start", lr=0.1)
    add(study, "warm start", lr=0.2)
    add(study, "default", lr=0.2, refused="the same configuration as trial 1")
    add(study, "default", lr=0.3)
    assert found(study, warm_start="earlier") == (1, True)


def test_a_default_that_breaks_a_limit_gives_way_to_the_next(study):
    add(study, "default", lr=0.1, refused="max_params")
    add(study, "default", lr=0.2)
    assert found(study) == (1, True)


def test_a_space_of_ones_own_has_no_default_so_its_first_trial_counts(study):
    add(study)
    add(study)
    assert found(study, space="mine.py:space") == (0, False)
    assert found(study) == (0, True), "a search from before origins were recorded"
    assert found(study, warm_start="earlier") == (0, False), "and one that was warm started"


def test_nothing_was_trained(study):
    assert found(study)[0] is None


def test_what_no_knowledge_scores():
    labels = np.array([0, 0, 0, 1])
    assert majority_score("accuracy", labels, 3) == 0.75
    assert majority_score("balanced_accuracy", labels, 3) == 0.5
    assert majority_score("log_loss", labels, 3) == pytest.approx(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    metrics = measure_test_metrics(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], np.array([0, 1, 1, 1]), ("a", "b"))
    assert majority_accuracy(metrics, (9, 1)) == 0.25, "the class that training images have most of"
    assert majority_accuracy(metrics, ()) == 0.75, "an older record has no counts"


def low(number, score, **interval):
    comparison = Comparison(difference=0.9 - score, **interval) if interval else None
    return Finalist(
        members=(number,), search_score=score, full_length=True, scores=(score,) * 3, val_losses=(0.1,) * 3, lost=0,
        seconds=1.0, comparison=comparison,
    )  # fmt: skip


def base(**options):
    return Baseline(**{"trial": 0, "kind": "default", "reference": True, "majority": 0.25, "reason": ""} | options)


@pytest.mark.parametrize(
    ("default", "baseline", "said"),
    [
        (low(0, 0.8, low=0.05, high=0.15), base(), "winner (trial 7) 90.00%: gain 10.00 points (95 % Welch inter"),
        (low(0, 0.8, low=0.05, high=0.15), base(), "to 15.00), significant"),
        (low(0, 0.8, low=-0.05, high=0.25), base(), "-5.00 to 25.00), not significant"),
        (low(0, 0.8, low=-0.05, high=0.25), base(), "majority class 25.00%, default configuration (trial 0) 80.00%, "),
        (low(0, 0.9, low=None, high=None, reason="no variance"), base(), "no difference, on no image and from no seed"),
        (low(0, 0.8, low=None, high=None, reason="one seed"), base(), "gain 10.00 points; not significant with one"),
        (None, base(reason="diverged"), "trial 0) has no re-score (diverged), so what the search gained over it"),
        (low(3, 0.8, low=0.05, high=0.15), base(trial=3, kind="first"), "first configuration (trial 3) 80.00%"),
    ],
)  # fmt: skip
def test_a_gain_is_said_with_its_interval_or_why_there_is_none(default, baseline, said):
    gain = make_gain("accuracy", [low(7, 0.9), *([default] if default else [])], baseline)
    assert said in format_gain(gain)
    assert gain.amount == (None if default is None else pytest.approx(0.9 - default.score))


def test_a_default_that_wins_is_said_to_win():
    gain = make_gain("accuracy", [low(0, 0.9), low(3, 0.8, low=0.05, high=0.15)], base(reference=False))
    assert (gain.outcome, gain.amount) == ("none", 0.0)
    assert format_gain(gain).endswith(
        "the default configuration (trial 0) is the winner, so the search gained nothing over it"
    )
    assert finalist_roles([gain.winner, low(3, 0.8)], gain.baseline) == ["winner, default", "finalist"]


def test_a_search_of_an_earlier_version_says_nothing():
    assert make_gain("accuracy", [low(0, 0.9)], None) is None


def worse_first(tmp_path, digits, **options):
    """A search whose first trial did worst."""
    spec, study = make_search(tmp_path, digits, **options)
    for score in (0.995, 0.999):
        record(study, [score / 2, score], TrialState.COMPLETE, CONFIGS[0].model_copy(update={"lr": score / 100}))
    return spec, study


def test_the_first_trial_is_trained_beside_the_finalists_and_no_member_of_an_ensemble(tmp_path, digits, place, logged):
    spec, study = worse_first(tmp_path, digits, finalists=2, final_seeds=2, ensemble=True)
    bench, told = Workbench(place), Told()
    finalists = run_finals(spec, study, bench, told)
    assert [a.trial for a in bench.trained[:3]] == ["final-4-0", "final-3-0", "final-0-0"]
    assert {a.trial for a in bench.trained[3:]} <= {"final-4-1", "final-3-1", "final-0-1"}
    assert {f.name for f in finalists} == {4, 3, 0, "ensemble"}
    (joined,) = [f for f in finalists if f.name == "ensemble"]
    assert sorted(joined.members) == [3, 4]
    baseline = read_baseline(study)
    assert (baseline.trial, baseline.reference, baseline.reason) == (0, True, "")
    assert baseline.majority == pytest.approx(0.1, abs=0.02)
    assert any("trial 0, the search's first configuration, for comparison" in line for line in logged)
    rows = {row["trial"]: row["role"] for row in finalist_rows("accuracy", finalists, {}, baseline)}
    assert rows[0] in {"default", "winner, default"}
    assert read_gain("accuracy", study).default in read_finalists(study)


def test_one_finalist_and_one_seed_cost_one_training_more(tmp_path, digits, place):
    spec, study = worse_first(tmp_path, digits, finalists=1, final_seeds=1)
    bench = Workbench(place)
    run_finals(spec, study, bench, Told())
    assert [a.trial for a in bench.trained] == ["final-4-0", "final-0-0"]
    assert read_gain("accuracy", study).outcome in {"one seed", "none"}


def test_finals_go_on_where_the_reference_was_not_trained_yet(tmp_path, digits, place):
    """As in a search whose finals an earlier version began."""
    spec, study = worse_first(tmp_path, digits, finalists=1, final_seeds=1)
    run_finals(spec, study, Workbench(place), Told())
    study.set_user_attr("final-0-0", "")
    bench = Workbench(place)
    run_finals(spec, study, bench, Told())
    assert [a.trial for a in bench.trained] == ["final-0-0"]


def test_a_reference_that_fails_stops_nothing(tmp_path, digits, place):
    spec, study = worse_first(tmp_path, digits, finalists=1, final_seeds=2)
    (winner,) = run_finals(spec, study, Workbench(place, fails="final-0-."), Told())
    assert winner.name == 4
    gain = read_gain("accuracy", study)
    assert (gain.outcome, gain.baseline.reason) == ("unknown", "no fresh training ended")


def test_the_card_says_what_was_bought(tmp_path, digits, place):
    spec, study = worse_first(tmp_path, digits, finalists=1, final_seeds=2)
    bench = Workbench(place)
    winner = run_finals(spec, study, bench, Told())[0]
    retrain_winner(spec, study, winner, bench, Told())
    metrics = evaluate_winner(spec, digits.classes, bench)
    page = write_card(spec.folder / "winner", study).read_text()
    section = page.split("## What the search bought")[1].split("##")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert "the most frequent class" in rows[2]
    assert f"{majority_accuracy(metrics, digits.counts):.2%}" in rows[2]
    assert f"{metrics.accuracy:.2%}" in rows[-1]
    assert "gain" in section.casefold()
