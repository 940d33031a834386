"""What a running search shows: a screen on a terminal, plain lines elsewhere, and libraries' chatter in a file."""

import io
import os
import pty
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.progress.live_screen import LiveScreen, open_reporter
from searchspace.progress.progress_tracker import BestTrial, ProgressTracker, call_all
from searchspace.progress.screen_layout import RunningWork, ScreenState, draw_screen, format_clock, sparkline
from searchspace.progress.search_progress import read_progress
from searchspace.spec import make_spec
from trainables.config import EpochReport, failure
from trainables.workers.slot_state import GangInfo

INFO = GangInfo(device="cpu", precision="bf16", threads=1)


def epoch(number, score, **values):
    return EpochReport(
        trial="t",
        epoch=number,
        score=score,
        seconds=0.5,
        total_seconds=number * 0.5,
        images_per_second=12345.6,
        **values,
    )


def make_account(trials=8, slots=2, clock=None):
    return ProgressTracker(make_spec(name="s", trials=trials, max_epochs=9), slots, clock or ConsoleReporter())


def shown(scene, width=80):
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(draw_screen(scene))
    return console.file.getvalue()


def tell(listener, events):
    for event, number, report in events:
        listener(event, number, report)


STORY = [
    ("start", 0, None), ("epoch", 0, epoch(1, 0.5)), ("start", 1, None), ("epoch", 1, epoch(1, 0.25)),
    ("paused", 1, epoch(1, 0.25)), ("start", 2, None), ("epoch", 0, epoch(2, 0.75)),
    ("failed", 2, failure("t", "diverged")),
    ("complete", 0, epoch(2, 0.75, status="complete")), ("start", 3, None), ("epoch", 3, epoch(1, 0.9)),
]  # fmt: skip


def test_an_account_knows_what_became_of_each_trial_and_what_each_slot_does():
    account = make_account()
    tell(account, STORY)
    assert account.counts == {"complete": 1, "at rung": 1, "failed": 1, "running": 1}
    assert [lane and (lane.trial, lane.scores) for lane in account.slot_progress] == [(3, (0.9,)), None]
    assert account.best == BestTrial(complete=True, epoch=2, score=0.75, trial=0), "one epoch is another fidelity"
    tell(account, [("resumed", 1, epoch(1, 0.25)), ("epoch", 1, epoch(2, 0.3))])
    assert account.slot_progress[1].scores == (0.25, 0.3), "a trial that goes on has its whole curve"
    assert account.epochs == 5
    assert account.slot_time.read().training == 2.5


def test_only_a_real_improvement_is_the_best_so_far(capsys):
    clock = ConsoleReporter()
    lines = clock.show_progress_of(make_account(clock=clock))
    for number, score in enumerate((0.7, 0.7, 0.6, 0.8, 0.8)):
        tell(lines, [("start", number, None), ("complete", number, epoch(9, score, status="complete"))])
    said = [line.split("] ")[1] for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[2] for line in said if line.endswith("best so far")] == ["0", "3"]


def test_a_resumed_search_takes_no_equal_score_for_an_improvement(capsys):
    """Whatever digits a board prints: what was known is known exactly."""
    clock = ConsoleReporter()
    account = make_account(clock=clock)
    account.load_earlier_trials([{"trial": 4, "status": "complete", "epoch": 9, "score": 0.97222}])
    tell(clock.show_progress_of(account), [("complete", 5, epoch(9, 0.97222, status="complete"))])
    assert "best so far" not in capsys.readouterr().out
    assert account.best.trial == 4


def test_a_trial_stands_in_the_row_of_the_slot_that_trains_it():
    account = make_account()
    tell(account, [("start", 0, None), ("start", 1, None), ("epoch", 0, epoch(1, 0.5, slot=1))])
    assert [lane.trial for lane in account.slot_progress] == [1, 0], "trial 1 has no report yet"
    tell(account, [("paused", 0, epoch(1, 0.5, slot=1)), ("resumed", 0, epoch(1, 0.5, slot=1))])
    assert sorted(lane.trial for lane in account.slot_progress) == [0, 1], "it may go on from any slot"


def test_a_resumed_search_begins_with_what_it_had():
    account = make_account()
    rows = [
        {"trial": 0, "status": "complete", "epoch": 9, "score": 0.8},
        {"trial": 1, "status": "at rung", "epoch": 1, "score": 0.9},
        {"trial": 2, "status": "waiting", "epoch": 0, "score": None},
    ]
    account.load_earlier_trials(rows)
    assert account.evaluated == {0, 1}
    assert account.best == BestTrial(complete=True, epoch=9, score=0.8, trial=0)


def test_lines_say_each_event_that_matters_once(capsys):
    clock = ConsoleReporter()
    account = make_account(clock=clock)
    follower = clock.show_progress_of(account)
    follower.on_gang_ready(0, INFO)
    tell(follower, STORY)
    tell(follower, [("pruned", 1, epoch(1, 0.25))])
    lines = [line.split("] ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "gang 1/2 warm: cpu, bf16, 1 threads a worker",
        "1/8  trial 1  paused at epoch 1, validation accuracy 0.2500, 0.5 s",
        "2/8  trial 2  failed after epoch 0: diverged",
        "3/8  trial 0  complete at epoch 2, validation accuracy 0.7500, 1.0 s  best so far",
    ]


def test_a_screen_fits_eighty_columns_and_tells_all():
    account = make_account()
    account.remaining_seconds, account.describe_trial = lambda: 90.0, lambda trial: f"lr {trial + 0.5}"
    account.on_gang_ready(0, INFO)
    tell(account, STORY)
    text = shown(
        ScreenState(read_progress(account, 65.0, price=36.0), RunningWork(), ("warning: a \x1b[31mred\n one",))
    )
    assert "1 running  1 at rung  1 complete  0 stopped  1 failed" in text
    assert "1:05 elapsed  about 1:30 remaining  cost 0.65  about 0.90 remaining" in text
    assert "best: trial 0, validation accuracy 0.7500\nlr 0.5\n" in text
    assert "3/8" in text
    row = next(line for line in text.splitlines() if "12,346" in line)
    assert row.split() == ["0", "3", "1/9", "0.9000", "█", "12,346", "0.5"]
    assert "starting" in text
    assert "\\x1b[31mred\\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_before_a_full_length_trial_the_best_says_its_fidelity():
    account = make_account()
    tell(account, [("start", 0, None), ("epoch", 0, epoch(1, 0.5)), ("paused", 0, epoch(1, 0.5))])
    assert "best: trial 0, validation accuracy 0.5000 at epoch 1 of 9" in shown(
        ScreenState(read_progress(account, 1.0))
    )


@pytest.mark.parametrize(("done", "total", "words"), [(50, 200, "50/200"), (0, 0, "")])
def test_long_work_has_a_bar(done, total, words):
    text = shown(ScreenState(None, RunningWork("finals", done, total)))
    assert text.startswith("finals ")
    assert text.rstrip().endswith(words)


def test_sparklines_and_clocks():
    assert sparkline([0.0, 0.5, 1.0], 0.0, 1.0) == "▁▅█"
    assert sparkline([0.3, 0.3], 0.3, 0.3) == "██"
    assert [format_clock(s) for s in (0, 59.6, 3600)] == ["0:00", "1:00", "1:00:00"]


def test_steps_are_lines_now_and_then(capsys, monkeypatch):
    clock = ConsoleReporter()
    now = iter([0.0, 5.0, 25.0, 25.0, 26.0, 50.0, 50.0])
    monkeypatch.setattr(type(clock), "seconds", property(lambda self: next(now)))
    for done in range(1, 5):
        clock.progress("images", done, 4)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("] ")[1] for line in lines] == ["images: 3 of 4"]


def test_chatter_goes_to_a_file_and_what_is_said_does_not(tmp_path):
    code = """
import logging, os, sys, pathlib
from searchspace.progress.console_reporter import ConsoleReporter
log = pathlib.Path(sys.argv[1])
with ConsoleReporter(verbose=sys.argv[2] == "True") as reporter:
    reporter.redirect_output(log)
    os.write(1, b"from C, out\\n"); os.write(2, b"from C, err\\n")
    print("from Python, err", file=sys.stderr, flush=True)
    reporter.show(logging.INFO, "told")
print("after"); print("after, err", file=sys.stderr)
"""
    log = tmp_path / "log"
    done = [
        subprocess.run([sys.executable, "-c", code, str(log), verbose], capture_output=True, text=True, check=True)
        for verbose in ("False", "True")
    ]
    assert [line.split("] ")[-1] for line in done[0].stdout.splitlines()] == ["told", "after"]
    assert done[0].stderr == "after, err\n"
    assert sorted(log.read_text().splitlines()) == ["from C, err", "from C, out", "from Python, err"]
    assert "from C, out" in done[1].stdout
    assert "from C, err" in done[1].stderr


def test_a_pipe_gets_plain_lines_and_a_terminal_a_screen(monkeypatch):
    assert type(open_reporter()) is ConsoleReporter
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert type(open_reporter()) is LiveScreen
    assert type(open_reporter(verbose=True)) is ConsoleReporter
    monkeypatch.setenv("TERM", "dumb")
    assert type(open_reporter()) is ConsoleReporter


def test_a_restarted_command_reports_alike():
    assert ConsoleReporter().restart_options == []
    assert ConsoleReporter(verbose=True).restart_options == ["--verbose"]
    assert LiveScreen().restart_options == []
    assert LiveScreen(price=2.5).restart_options == ["--price-per-hour", "2.5"]


def test_events_reach_every_listener():
    heard = []
    call_all(lambda *given: heard.append(given), lambda *given: heard.append(given))("epoch", 1, None)
    assert heard == [("epoch", 1, None)] * 2


def run_on_a_terminal(command, cwd):
    """What a command writes to a terminal of 24 lines and 80 columns, and its exit code."""
    mine, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=cwd, env=environment)
    os.close(its)
    written = []

    def read():
        try:
            while part := os.read(mine, 65536):
                written.append(part)
        except OSError:  # the terminal's other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(240)
    reader.join(10)
    os.close(mine)
    return code, b"".join(written).decode()


@pytest.mark.slow
def test_a_search_on_a_terminal_is_calm(tmp_path):
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", "4", "--models", "convnet", "--max-epochs", "3", "--name",
        "s", "--finalists", "1", "--final-seeds", "1",
    ]  # fmt: skip
    code, text = run_on_a_terminal(command, tmp_path)
    assert code == 0, text
    for part in ("images/s", "best: trial", "finals: epochs", "the test split is opened, once", "winner: trial"):
        assert part in text
    assert "trial 0  complete" not in text, "trials are in the table"
    assert text.count("the test split is opened") == 1
    assert "WARNING" not in text
    assert "ray" not in text.lower().replace("array", "")
    assert (tmp_path / "results" / "s" / "search.log").is_file()
