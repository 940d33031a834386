"""Results that `load` reads, of searches that nobody trained."""

import optuna
import pytest

from searchspace.api.result import Result, load
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError
from trainables.config import TrialConfig


@pytest.fixture(scope="module")
def results(digits, tmp_path_factory):
    """A folder of two searches: a finished one and one that is not."""
    place = tmp_path_factory.mktemp("place") / "results"
    make_search(place, digits)
    return place


@pytest.fixture(scope="module")
def result(results) -> Result:
    return load(results / "made")


@pytest.fixture
def unfinished(digits, tmp_path) -> Result:
    return load(make_search(tmp_path / "results", digits, trials=3, finished=False))


def test_the_leaderboard_has_all_trials_with_whole_figures(result):
    board = result.leaderboard
    assert len(board) == 24
    assert list(board["rank"]) == list(range(1, 25))
    assert set(TrialConfig.model_fields) - {"custom"} <= set(board.columns)
    best = board.iloc[0]
    assert best["score"] == result.study.trials[best["trial"]].value


def test_columns_have_the_types_of_what_they_hold(result):
    kinds = result.leaderboard.dtypes.astype(str).to_dict()
    expected = {
        "trial": "int64",
        "score": "float64",
        "lr": "float64",
        "width": "int64",
        "tta": "bool",
        "best_epoch": "int64",
    }
    assert {name: kinds[name] for name in expected} == expected
    assert kinds["datetime_start"].endswith(", UTC]")


def test_finalists_come_winner_first_with_the_difference_and_its_interval(result):
    found = result.finalists
    assert list(found["trial"]) == [0, 3]
    assert list(found["outcome"]) == ["winner", "not significant"]
    assert tuple(found.loc[1, ["difference", "difference_low", "difference_high"]]) == (0.01, -0.01, 0.03)


def test_metrics_are_those_of_the_test(result):
    metrics = result.metrics
    assert metrics.accuracy_low < metrics.accuracy < metrics.accuracy_high
    assert metrics.count == result.data.test


def test_the_study_is_a_copy_that_optuna_draws(result):
    assert optuna.visualization.plot_optimization_history(result.study).data
    result.study.set_user_attr("note", "mine")
    assert "note" not in result.study.user_attrs
    assert len(result.study.trials) == 24


def test_an_unfinished_search_says_what_to_do(unfinished):
    assert not unfinished.is_finished
    assert unfinished.student is None
    assert len(unfinished.leaderboard) == 3
    assert unfinished.finalists.empty
    with pytest.raises(UserError, match=r"no tested winner yet.*searchspace run --resume made"):
        _ = unfinished.metrics


@pytest.mark.parametrize("name", ["made", "results/made", "results/ma", "latest", "results/latest"])
def test_a_search_is_found_as_commands_find_it(results, name, monkeypatch):
    monkeypatch.chdir(results.parent)
    assert load(name).folder == results / "made"


def test_no_search_is_an_error_that_suggests_one(results, monkeypatch):
    monkeypatch.chdir(results.parent)
    with pytest.raises(UserError, match="did you mean 'made'"):
        load("results/mode")


def test_a_result_says_what_it_is(result, unfinished):
    assert repr(result).startswith("<search 'made': 24 trials, ")
    assert "not finished" in repr(unfinished)


def test_the_report_is_written_where_it_is_asked_for_and_shown_in_a_frame(result, tmp_path):
    page = result.report(tmp_path / "mine.html")
    assert tmp_path.joinpath("mine.html").samefile(page)
    shown = page._repr_html_()
    assert shown.count("<iframe") == 1
    assert "<script" not in shown
    assert result.report().path == result.folder / "report.html"


def test_a_report_that_cannot_be_written_says_where_to(result):
    with pytest.raises(UserError, match=r"output '/proc/none/x\.html'"):
        result.report("/proc/none/x.html")
