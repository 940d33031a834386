"""Boards: what they read equals Optuna's own, whoever writes meanwhile; what is shown of it, and how."""

import csv
import html
import io
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from datetime import datetime
from pathlib import Path
from socket import socket

import optuna
import pytest
from optuna.samplers import RandomSampler

from searchspace.finals.finalist import Finalist
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.board_view import ViewOptions
from searchspace.reporting.tables.compare import compare_searches, compare_trials, format_incomparable
from searchspace.reporting.tables.terminal_table import choose_columns, draw_table
from searchspace.reporting.tables.trials import rank_trials, without_defaults
from searchspace.spec import make_spec, save_record
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.study import (
    create_study,
    flush_study,
    load_study,
    read_study_attribute,
    write_study_attribute,
)
from searchspace.study.study_snapshot import JournalReader, open_study
from searchspace.study.trial_attributes import read_config, read_curve, read_seed, record_config, record_report
from tests.helpers.benchmarks.drawn_search import write_search
from tests.helpers.commands import RAY_TOKEN, command
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError
from trainables.config import EpochReport, TrialConfig

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache) -> Path:
    """A search of 60 trials in its own study code's journal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        spec = make_spec(name="s", trials=60, results=str(tmp_path_factory.mktemp("results")))
        write_search(spec)
    return spec.folder


@pytest.fixture
def rows(folder):
    return rank_trials(JournalReader(folder / JOURNAL).read())


def as_optuna_reads(folder: Path) -> optuna.Study:
    return load_study(make_spec(name=folder.name, results=str(folder.parent)), folder)


def test_the_reader_and_optuna_read_the_same(folder):
    found, study = JournalReader(folder / JOURNAL).read(), as_optuna_reads(folder)
    assert found.trials == study.trials
    assert found.user_attrs == study.user_attrs
    assert rank_trials(found) == rank_trials(study)


@pytest.mark.slow
def test_the_reader_and_optuna_read_the_same_of_a_real_search(searched):
    found, study = JournalReader(searched[0] / JOURNAL).read(), as_optuna_reads(searched[0])
    assert found.trials == study.trials
    assert found.user_attrs == study.user_attrs


def test_every_whole_line_counts_and_no_other(folder, tmp_path):
    """At any length of the file, what is read is what Optuna reads of its whole lines; reading on comes to the end."""
    content = (folder / JOURNAL).read_bytes()
    growing = tmp_path / JOURNAL
    growing.touch()
    reader, cuts = JournalReader(growing), sorted(random.Random(0).sample(range(len(content)), 12))
    for cut in [*cuts, len(content)]:
        growing.write_bytes(content[:cut])
        found = reader.read()
        growing.write_bytes(content[: content.rfind(b"\n", 0, cut) + 1])
        if b"\n" in content[:cut]:
            assert found.trials == as_optuna_reads(tmp_path.rename(tmp_path.parent / "s")).trials
            (tmp_path.parent / "s").rename(tmp_path)


def test_a_board_is_whole_while_its_search_writes(tmp_path):
    spec = make_spec(name="s", trials=100, results=str(tmp_path))
    study = create_study(spec, RandomSampler(seed=0))
    done = threading.Event()

    def write() -> None:
        for number in range(300):
            trial = study.ask()
            trial.suggest_float("lr", 1e-3, 1e-1)
            trial.report(number / 300, 1)
            study.tell(trial, number / 300)
        flush_study(study)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader, counts = JournalReader(spec.folder / JOURNAL), []
    while not done.is_set():
        found = reader.read().trials
        counts.append(len(found))
        assert all(t.intermediate_values and t.params for t in found if t.state.is_finished())
    writer.join()
    assert counts == sorted(counts)
    assert reader.read().trials == as_optuna_reads(spec.folder).trials


def test_a_damaged_journal_is_said(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'{"op_code": 0}\nrubbish\n')
    with pytest.raises(UserError, match=r"^damaged: .*is no journal behind byte"):
        JournalReader(tmp_path / JOURNAL).read()


def test_a_database_is_read_as_well(tmp_path, monkeypatch):
    spec = make_spec(name="s", trials=3, results=str(tmp_path), storage=f"sqlite:///{tmp_path}/studies.db")
    study = create_study(spec, RandomSampler(seed=0))
    for score in (0.1, 0.3, 0.2):
        trial = study.ask()
        trial.report(score, 1)
        study.tell(trial, score)
    monkeypatch.setenv("SEARCHSPACE_STORAGE", spec.storage)
    assert [row["score"] for row in rank_trials(open_study(spec, spec.folder).read())] == [0.3, 0.2, 0.1]


def read_back(text: str, form: str) -> list[dict]:
    return json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_trial_is_rebuilt_from_its_row(folder, tmp_path, cache, form):
    """To the last digit: what a file has of a trial is what the study has."""
    said = command("leaderboard", str(folder), "--format", form, home=tmp_path, cache=cache, cwd=tmp_path).stdout
    trials = {trial.number: trial for trial in as_optuna_reads(folder).trials}
    rows = read_back(said, form)
    assert len(rows) == len(trials)
    for row in rows:
        trial = trials[int(row["trial"])]
        assert TrialConfig(**{name: row[name] for name in TrialConfig().hyperparameters}) == read_config(trial)
        last = read_curve(trial)[-1]
        found = [float(row[name]) for name in ("score", "accuracy", "val_loss", "train_loss", "seconds")]
        assert found == [last.score, last.accuracy, last.val_loss, last.train_loss, last.total_seconds]
        assert int(row["seed"]) == read_seed(trial)
        assert row["state"] == trial.state.name
        assert datetime.fromisoformat(row["datetime_start"]).timestamp() == pytest.approx(
            trial.datetime_start.timestamp(), abs=1e-3
        )
        if trial.state.is_finished():
            assert float(row["duration"]) == trial.duration.total_seconds()


def test_printed_boards_are_short_and_files_whole(folder, tmp_path, cache):
    exact = rank_trials(JournalReader(folder / JOURNAL).read())
    printed = command("leaderboard", str(folder), home=tmp_path, cache=cache, cwd=tmp_path).stdout
    assert any(len(str(row["lr"])) > 12 for row in exact)
    assert not re.search(r"\d\.\d{6}", printed)
    for name in ("datetime_start", "seed", "train_loss"):
        assert name in exact[0]
        assert name.replace("_", " ") not in printed
    named = command("leaderboard", str(folder), "--columns", "trial,seed", home=tmp_path, cache=cache, cwd=tmp_path)
    assert str(exact[0]["seed"]) in named.stdout, "whoever names a column gets it"


def test_a_hyperparameter_that_nobody_set_is_empty_to_conditions(folder):
    study = JournalReader(folder / JOURNAL).read()
    rows = rank_trials(study)
    seen = without_defaults(study, rows)
    left = TrialConfig.model_fields["warmup"].default
    assert {row["warmup"] for row in rows} == {left}
    assert {row["warmup"] for row in seen} == {None}
    assert ViewOptions(where="warmup > 0").of(rows, seen) == []
    found = ViewOptions(where="lr < 0.01", sort="lr").of(rows, seen)
    wanted = [row for row, shown in zip(rows, seen, strict=True) if shown["lr"] is not None and row["lr"] < 0.01]
    assert found == sorted(wanted, key=lambda row: row["lr"])
    assert 0 < len(found) < len(rows)


def test_equal_scores_are_ranked_by_re_score_then_loss(tmp_path):
    spec = make_spec(name="s", trials=5, results=str(tmp_path))
    study = create_study(spec, RandomSampler(seed=0))
    for loss in (0.5, 0.4, 0.3, 0.2, 0.3):
        trial = study.ask()
        record_config(trial, TrialConfig(), 0)
        record_report(trial, 0, EpochReport(trial="t", epoch=1, score=0.9, val_loss=loss))
        study.tell(trial, 0.9)
    assert [row["trial"] for row in rank_trials(study)] == [3, 2, 4, 1, 0], "the number counts where all else is equal"
    scores = {0: 0.8, 1: 0.85}
    finalists = [
        Finalist(members=(n,), search_score=0.9, full_length=True, scores=(s,), val_losses=(0.1,), lost=0, seconds=1.0)
        for n, s in scores.items()
    ]
    write_study_attribute(study, "finalists", [finalist.model_dump() for finalist in finalists])
    assert [row["trial"] for row in rank_trials(study)] == [1, 0, 3, 2, 4]


@pytest.fixture
def crowned(tmp_path, digits) -> Path:
    """A search whose winner is at rank 8 of its board."""
    folder = make_search(tmp_path / "results", digits)
    study = load_study(make_spec(name="made", results=str(folder.parent)), folder)
    number = [row["trial"] for row in rank_trials(study)][7]
    record = read_study_attribute(study, "finalists")
    record[0]["members"] = [number]
    record[0]["scores"] = [0.1, 0.1]  # ranks go by the search's scores
    write_study_attribute(study, "finalists", record)
    write_study_attribute(
        study, "baseline", {"trial": record[1]["members"][0], "kind": "default", "reference": True, "majority": 0.1}
    )
    return folder


@pytest.mark.parametrize(
    "options", [(), ("--top", "3"), ("--sort", "seconds", "--top", "1"), ("--columns", "trial,role")]
)
def test_the_winner_is_on_every_printed_board_and_marked(crowned, tmp_path, cache, options):
    study = JournalReader(crowned / JOURNAL).read()
    (winner,) = [row for row in rank_trials(study) if row["role"] == "winner"]
    done = command("leaderboard", str(crowned), *options, home=tmp_path, cache=cache, cwd=tmp_path)
    board = done.stdout[done.stdout.index("24 trials") :].splitlines()
    marked = [line.split() for line in board if re.search(r" winner( |$)", line) and "trials" not in line]
    assert len(marked) == 1, board
    assert str(winner["trial"]) in marked[0][:2]
    if "--top" in options and winner["rank"] > 3:
        assert " and the winner by " in done.stdout


def test_files_have_as_many_rows_as_were_asked_for(crowned, tmp_path, cache):
    done = command(
        "leaderboard", str(crowned), "--format", "json", "--top", "2", home=tmp_path, cache=cache, cwd=tmp_path
    )
    assert len(json.loads(done.stdout)) == 2


def test_a_board_says_what_the_search_bought(crowned, tmp_path, cache):
    said = command("leaderboard", str(crowned), home=tmp_path, cache=cache, cwd=tmp_path).stdout
    assert "what the search bought: majority class 10.00%, default configuration (trial 3) " in said
    assert re.search(r"^ +3  default ", said, flags=re.MULTILINE), "and marks the row that it is compared with"


def test_conditions_filter_rows(rows):
    assert {row["status"] for row in ViewOptions(where="status == 'complete'").of(rows)} == {"complete"}
    quick = ViewOptions(where='model == "convnet" and seconds < 5', sort="seconds", columns=("trial", "seconds")).of(
        rows
    )
    assert quick == sorted(quick, key=lambda row: row["seconds"])
    assert all(list(row) == ["trial", "seconds"] and row["seconds"] < 5 for row in quick)
    assert ViewOptions(where="score > 2").of(rows) == []


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("modl == 'x'", "'modl' is no column; there are rank, "),
        ("modl == 'x'", "did you mean 'model'?"),
        ("score >", "is no condition such as"),
        ("score", "neither true nor false"),
        ("score > 'a'", "is no condition"),
        ("__import__('os').system('true')", "is no condition"),
        ("@rows.clear()", "no column"),
    ],
)
def test_a_wrong_condition_is_said_in_one_line(rows, condition, part):
    with pytest.raises(UserError) as error:
        ViewOptions(where=condition).of(rows)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_what_rows_hold_is_never_evaluated():
    rows = [{"model": "__import__('os').abort()"}, {"model": "@x"}]
    assert ViewOptions(where="model == '@x'").of(rows) == rows[1:]


def test_a_wrong_column_is_met_with_the_nearest(rows):
    for view in (ViewOptions(columns=("trial", "scor")), ViewOptions(sort="scor")):
        with pytest.raises(UserError, match=r"no such column; there are rank, .*; did you mean 'score'\?"):
            view.of(rows)


def test_html_shows_names_and_obeys_none():
    page = to_text([{"reason": HOSTILE, "note": "long " * 40}], "html")
    assert HOSTILE not in page
    assert html.escape(HOSTILE, quote=False) in page
    assert "long " * 39 in page, "nothing is cut off"


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_a_table_fits_its_terminal_and_names_what_it_leaves_out(rows, width):
    from rich.console import Console

    console = Console(width=width, record=True, file=io.StringIO())
    console.print(draw_table(rows[:10], "title", width, ("rank", "trial", "score")))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    header, footer = lines[1], " ".join(lines[lines.index(next(x for x in lines if x.startswith("not shown"))) :])
    assert header.split()[:2] == ["rank", "trial"]
    assert len(lines[2:12]) == 10
    assert "memory_mb" not in footer, "empty in every row"
    for name in rows[0]:
        assert any(row[name] not in (None, "") for row in rows[:10]) <= (
            name.replace("_", " ") in header or name in footer
        )


def test_what_matters_most_gets_room_first_and_long_text_what_is_left():
    widths = {"a": 10, "reason": 50, "b": 10, "c": 10}
    assert choose_columns(widths, 30, ("c", "a")) == {"a": 10, "c": 10}
    assert choose_columns(widths, 80, ("c", "a")) == {"a": 10, "reason": 50, "c": 10}
    assert choose_columns(widths, 60, ("a", "reason")) == {"a": 10, "reason": 48}


def test_two_trials_are_compared_by_what_differs(folder):
    study = JournalReader(folder / JOURNAL).read()
    found = {row["what"]: (row["0"], row["1"]) for row in compare_trials(study, ("0", "1"))}
    assert found["score"] == tuple(rank["score"] for n in (0, 1) for rank in rank_trials(study) if rank["trial"] == n)
    assert all(one != other for what, (one, other) in found.items() if what not in {"score", "best_epoch", "seconds"})
    assert "score at epoch 1" in found
    with pytest.raises(UserError, match="'99': no such trial"):
        compare_trials(study, ("0", "99"))


def test_a_comparison_says_what_a_finalist_scored_from_fresh_seeds(tmp_path, digits):
    study = JournalReader(make_search(tmp_path, digits) / JOURNAL).read()
    found = {row["what"]: (row["0"], row["1"]) for row in compare_trials(study, ("0", "1"))}
    assert found["as finalist, fresh seeds"] == (0.975, None)


def test_two_searches_on_different_data_are_said_to_be_not_comparable(tmp_path):
    for name, metric, fingerprint in (("a", "accuracy", "1"), ("b", "f1_macro", "2")):
        spec = make_spec(name=name, results=str(tmp_path), metric=metric, seed=len(fingerprint))
        flush_study(create_study(spec, RandomSampler()))
        save_record(spec.folder, spec, {"data": {"fingerprint": fingerprint}, "versions": {"torch": fingerprint}})
    found = {row["what"]: (row["a"], row["b"]) for row in compare_searches(tmp_path, ("a", "b"))}
    assert found["metric"] == ("accuracy", "f1_macro")
    assert found["version of torch"] == ("1", "2")
    assert "trials" not in found, "the same in both"
    assert [line.split(":")[0] for line in format_incomparable(tmp_path, ("a", "b"))] == ["NOT COMPARABLE"] * 2
    with pytest.raises(UserError, match="did you mean 'b'"):
        compare_searches(tmp_path, ("a", "B"))


def test_the_command_prints_every_format(folder, tmp_path, cache):
    for form in ("csv", "json", "md", "html"):
        done = command("leaderboard", str(folder), "--format", form, home=tmp_path, cache=cache, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        if form == "json":
            assert len(json.loads(done.stdout)) == 60, "all rows, unless --top says otherwise"
    done = command("leaderboard", str(folder), "--watch", home=tmp_path, cache=cache, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: --watch: redraws a terminal, and this output is none; leave it out here\n"


@pytest.mark.parametrize("finishes", [True, False])
def test_watching_ends_with_the_search_or_with_ctrl_c(folder, tmp_path, finishes):
    spec = make_spec(name="w", trials=1, results=str(tmp_path))
    study = create_study(spec, RandomSampler())
    save_record(spec.folder, spec, {})
    flush_study(study)
    leader, follower = pty.openpty()
    watching = subprocess.Popen(
        [sys.executable, "-m", "searchspace.leaderboard", str(spec.folder), "--watch"],
        stdout=follower, stderr=follower, env=os.environ | {"COLUMNS": "100", "RAY_AUTH_TOKEN": RAY_TOKEN},
    )  # fmt: skip
    os.close(follower)
    said = read_until(leader, b"Ctrl-C stops watching")
    if finishes:
        write_study_attribute(study, "finished", 1)
        flush_study(study)
        said += read_until(leader, b"finished")
    else:
        watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=60) == 0
    assert b"Traceback" not in said
    os.close(leader)


def read_until(terminal: int, mark: bytes) -> bytes:
    said = b""
    while mark not in said:
        said += os.read(terminal, 4096)
    return said


@pytest.mark.slow
def test_optunas_dashboard_opens_the_study_as_it_is(folder):
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("optuna-dashboard")
    dashboard = subprocess.Popen([program, str(folder / JOURNAL), "--port", str(port)], start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=10) as answer:
                    studies = json.load(answer)["study_summaries"]
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.5)
        assert [study["study_name"] for study in studies] == ["s"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies/0", timeout=10) as answer:
            assert len(json.load(answer)["trials"]) == 60
    finally:
        os.killpg(dashboard.pid, signal.SIGTERM)
        dashboard.wait(timeout=20)
