"""The race of the finalists, on made predictions: who is trained how often, resumed in its middle, and in a budget."""

import math

import pytest

from searchspace.finals.baseline import read_baseline
from searchspace.finals.finalist import read_finalists
from searchspace.finals.finals import run_finals
from searchspace.finals.formatting import format_rescore, format_trainings, format_undecided
from searchspace.finals.gain import format_gain, read_gain
from searchspace.finals.race.race_record import DropReason, read_race
from searchspace.reporting.tables.finalists import finalist_rows
from tests.helpers.scripted_finals import ScriptedPool, scripted_search
from trainables.common.errors import NoWinnerError
from trainables.common.reporter import SilentReporter

CLOSE = [(0.90, 9, False), (0.89, 9, False), (0.80, 9, False)]
PROBE_FIRST = [(0.88, 1, True), (0.91, 40, False), (0.90, 40, False), (0.78, 60, False)]


def run(search, pool, seconds=math.inf):
    return run_finals(*search, pool, SilentReporter(), lambda _phase: seconds)


def test_who_is_clearly_behind_is_trained_once(tmp_path, logged):
    search, pool = scripted_search(tmp_path, CLOSE), ScriptedPool({0: 0.9, 1: 0.89, 2: 0.8})
    found = run(search, pool)
    by_name = {finalist.name: finalist for finalist in found}
    assert (len(by_name[0].scores), len(by_name[1].scores), len(by_name[2].scores)) == (3, 3, 1)
    assert by_name[2].comparison.is_significant
    assert format_trainings(by_name[2]) == "1 of 3 fresh seeds"
    record = read_race(search[1])
    assert (record.trainings, record.planned, [d.reason for d in record.dropped]) == (7, 9, [DropReason.BEHIND])
    assert any(line.startswith("finals: 7 of 9 trainings, 2 saved: trial 2 dropped after 1 of 3") for line in logged)


def test_who_is_alone_has_two_trainings_and_others_one(tmp_path):
    search = scripted_search(tmp_path, [(0.90, 9, False), (0.80, 9, False), (0.79, 9, False)])
    pool = ScriptedPool({0: 0.9, 1: 0.8, 2: 0.79})
    assert [len(f.scores) for f in run(search, pool)] == [2, 1, 1]
    assert {d.reason for d in read_race(search[1]).dropped} == {DropReason.BEHIND, DropReason.DECIDED}


def test_a_training_that_was_begun_beside_and_is_needed_no_longer_is_stopped(tmp_path):
    search, pool = scripted_search(tmp_path, CLOSE), ScriptedPool({0: 0.9, 1: 0.9, 2: 0.8}, slots=3)
    found = run(search, pool)
    assert len(pool.trained) == sum(len(f.scores) for f in found)
    assert all(name.startswith("final-2") for name in pool.stopped)


@pytest.mark.parametrize("dies_after", [1, 2, 3, 5])
def test_a_race_that_was_interrupted_goes_on_alike(tmp_path, dies_after):
    accuracies = {0: 0.9, 1: 0.89, 2: 0.8}
    whole = run(scripted_search(tmp_path / "whole", CLOSE), ScriptedPool(accuracies))
    search, first = scripted_search(tmp_path / "parts", CLOSE), ScriptedPool(accuracies, dies_after=dies_after)
    with pytest.raises(KeyboardInterrupt):
        run(search, first)
    second = ScriptedPool(accuracies)
    assert [f.scores for f in run(search, second)] == [f.scores for f in whole]
    assert len(first.trained) == dies_after
    assert not set(first.trained) & set(second.trained)
    again = ScriptedPool(accuracies)
    run(search, again)
    assert again.trained == []


def test_the_best_probe_is_the_reference_and_the_hopeless_default_is_not_trained(tmp_path):
    trials = [(0.60, 60, False), *PROBE_FIRST[:3]]
    search, pool = scripted_search(tmp_path, trials, finalists=2), ScriptedPool({1: 0.9, 2: 0.91, 3: 0.9})
    found = run(search, pool)
    assert {f.name for f in found} == {1, 2, 3}
    assert [name for name in pool.trained if name.startswith("final-1")] == ["final-1-0"], "no seed changes a probe"
    baseline = read_baseline(search[1])
    assert (baseline.trial, baseline.probe) == (0, 1)
    gain = format_gain(read_gain("accuracy", search[1]))
    assert "(trial 0) has no re-score (31.00 points behind in the search), so what the search gained" in gain
    assert {row["role"] for row in finalist_rows("accuracy", found, {}, baseline) if row["trial"] == 1} == {
        "finalist, probe"
    }


def test_nothing_wins_that_is_no_better_than_the_probe(tmp_path):
    search = scripted_search(tmp_path, PROBE_FIRST[:2], finalists=2)
    assert run(search, ScriptedPool({0: 0.95, 1: 0.7}))[0].name == 0


def test_two_closed_forms_are_compared_by_their_images(tmp_path):
    search = scripted_search(tmp_path, [(0.9, 1, True), (0.89, 1, True)], finalists=2)
    pool = ScriptedPool({0: 0.9, 1: 0.75})
    first, second = run(search, pool)
    assert len(pool.trained) == 2
    assert (first.name, second.comparison.outcome) == (0, "significant")
    assert format_rescore("accuracy", first).endswith("over one training, which no seed changes")


def test_within_a_budget_what_takes_too_long_is_not_trained_and_the_probe_wins_in_doubt(tmp_path):
    search = scripted_search(tmp_path, [(0.895, 1, True), (0.90, 40, False)], finalists=2)
    pool = ScriptedPool({0: 0.88, 1: 0.9})
    found = run(search, pool, seconds=5.0)
    assert (pool.trained, [f.name for f in found]) == (["final-0-0"], [0])
    assert [(d.trial, d.reason) for d in read_race(search[1]).dropped] == [(1, DropReason.BUDGET)]


def test_what_leads_by_more_than_luck_wins_by_its_search_score_and_says_so(tmp_path):
    search = scripted_search(tmp_path, [(0.60, 1, True), (0.90, 40, False)], finalists=2)
    found = run(search, ScriptedPool({0: 0.7, 1: 0.9}), seconds=5.0)
    assert ([f.name for f in found], found[0].scores, found[0].score) == ([1, 0], (), 0.90)
    assert "the search's score: no time was left to train it again" in format_rescore("accuracy", found[0])
    assert format_undecided("accuracy", found) == [
        "the winner has the search's score alone, so no difference to it is known to be significant"
    ]
    assert read_finalists(search[1]) == found


def test_without_any_time_the_best_of_the_search_wins(tmp_path):
    search, pool = scripted_search(tmp_path, CLOSE), ScriptedPool({})
    (winner,) = run(search, pool, seconds=0.0)
    assert (winner.name, winner.is_rescored, pool.trained) == (0, False, [])


def test_failed_trainings_are_tried_twice(tmp_path):
    search, pool = scripted_search(tmp_path, CLOSE), ScriptedPool({0: 0.9, 1: 0.9, 2: 0}, fails=frozenset({2}))
    assert {f.name for f in run(search, pool)} == {0, 1}
    assert [name for name in pool.trained if name.startswith("final-2")] == ["final-2-0", "final-2-1"]
    with pytest.raises(NoWinnerError, match=r"every finalist failed \(diverged\)"):
        run(scripted_search(tmp_path / "b", CLOSE), ScriptedPool({}, fails=frozenset({0, 1, 2})))
