"""What a notebook and a program's terminal show of a search, from its events."""

import logging
import sys

import pytest

from searchspace.api.display import notebook_display
from searchspace.api.display.display_state import DisplayState
from searchspace.api.display.notebook_display import NotebookDisplay
from searchspace.api.display.notebook_table import notebook_table, summary_line
from searchspace.api.display.search_display import QuietDisplay, open_display
from searchspace.api.display.terminal_display import TerminalDisplay
from searchspace.api.process.search_events import (
    LogMessage,
    PhaseEnded,
    PhaseStarted,
    ProgressUpdated,
    SearchEnded,
    SearchStarted,
    WinnerFound,
    WorkProgress,
)
from tests.helpers.search_story import search_progress
from trainables.common.errors import UserError

STARTED = SearchStarted(seconds=1.0, name="cells-1", folder="/r/cells-1", log="/r/cells-1/search.log")
WINNER = WinnerFound(
    seconds=200.0, trial=3, members=(3,), metric="accuracy", score=0.91, search_score=0.92,
    test={"accuracy": 0.905, "accuracy_low": 0.88, "accuracy_high": 0.93},
)  # fmt: skip


def after(*events):
    state = DisplayState()
    for event in events:
        state.update(event)
    return state


def test_a_running_search_is_shown_with_counts_best_trial_and_slots():
    html = notebook_table(after(STARTED, PhaseStarted(name="search"), ProgressUpdated(progress=search_progress())))
    for shown in (
        "cells-1",
        "search, 0:0",
        "3 of 8 trials",
        "1 complete",
        "best: trial 0",
        "lr 0.5",
        "3/9",
        "starting",
    ):
        assert shown in html
    assert html.count("<tr>") == 3, "the head and two slots"


def test_text_is_escaped():
    progress = search_progress(name="a<script>", description="<img src=x>")
    state = after(
        STARTED.model_copy(update={"name": "a<script>"}), PhaseStarted(name="search"),
        ProgressUpdated(progress=progress), LogMessage(level=logging.WARNING, message="<b>\x1b[31mred"),
        WorkProgress(what="<i>", done=1, total=2),
    )  # fmt: skip
    html = notebook_table(state)
    for raw in ("<script", "<img", "<b>", "<i>", "\x1b"):
        assert raw not in html
    assert "&lt;b&gt;\\x1b[31mred" in html


def test_other_phases_show_their_work_and_no_slots():
    state = after(
        STARTED, PhaseStarted(name="search"), ProgressUpdated(progress=search_progress()), PhaseEnded(name="search"),
        PhaseStarted(name="finals"), WorkProgress(what="finals: epochs", done=3, total=12),
    )  # fmt: skip
    html = notebook_table(state)
    assert "finals: epochs  3 of 12" in html
    assert "width:25.00%" in html
    assert "<table>" not in html
    assert state.screen.search is None


def test_the_end_is_a_short_summary():
    state = after(
        STARTED, PhaseStarted(name="search"), ProgressUpdated(progress=search_progress()), WINNER,
        SearchEnded(seconds=200.0, status="complete"),
    )  # fmt: skip
    html = notebook_table(state)
    assert "complete after 3:20" in html
    assert "winner: trial 3, validation accuracy 0.9100, test accuracy 0.9050 (0.8800 to 0.9300)" in html
    assert "<table>" not in html
    assert summary_line(state) == "search cells-1: complete after 3:20"


def test_a_notebook_s_output_is_replaced_and_not_repeated(monkeypatch):
    shown = []

    class Handle:
        def update(self, drawing):
            shown.append(drawing._repr_html_())

    def display(drawing, display_id):
        assert display_id
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(notebook_display, "DRAW_INTERVAL_S", 1000.0)
    with NotebookDisplay() as display:
        for _ in range(100):
            display.show(STARTED)
            display.refresh()
        assert shown == [], "at most so often"
    assert len(shown) == 1, "the end is drawn in any case"


def test_a_terminal_gets_messages_and_at_the_end_warnings_and_winner(capsys):
    with TerminalDisplay() as display:
        display.show(LogMessage(seconds=1.0, level=logging.INFO, message="digits: [10] classes"))
        display.show(LogMessage(seconds=2.0, level=logging.WARNING, message="few images"))
        display.show(ProgressUpdated(progress=search_progress()))
        display.show(WINNER)
        display.refresh()
    said = capsys.readouterr().err
    assert "[   1.0 s] digits: [10] classes" in said
    assert said.index("warning: few images") < said.index("winner: trial 3")


def test_the_display_follows_the_place(monkeypatch):
    assert type(open_display("auto")) is QuietDisplay
    assert type(open_display("none")) is QuietDisplay
    assert type(open_display("jupyter")) is NotebookDisplay
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert type(open_display("auto")) is TerminalDisplay
    monkeypatch.setenv("TERM", "dumb")
    assert type(open_display("auto")) is QuietDisplay
    with pytest.raises(UserError, match="progress='jupiter': not one of auto, jupyter, terminal, none; did you mean"):
        open_display("jupiter")
