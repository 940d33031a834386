"""The live table of a notebook in a real browser, on a light and a dark page; its picture is kept as an artefact.

`SEARCHSPACE_SCREENSHOTS` names the folder of pictures; without it they are in the test's own.
"""

import os
from pathlib import Path

import pytest

from searchspace.api.display.display_state import DisplayState
from searchspace.api.display.notebook_table import notebook_table
from searchspace.api.process.search_events import (
    LogMessage,
    PhaseStarted,
    ProgressUpdated,
    SearchEnded,
    SearchEvent,
    SearchStarted,
    WinnerFound,
    WorkProgress,
)
from tests.helpers.search_story import search_progress

pytestmark = pytest.mark.browser

STARTED = SearchStarted(seconds=1.0, name="cells-1", folder="/r/cells-1", log="/r/cells-1/search.log")
SEARCHING = (PhaseStarted(name="search"), ProgressUpdated(seconds=65.0, progress=search_progress()))
WARNED = LogMessage(level=30, message="class 'basophil' has 4 images: its recall is measured on one test image")
WON = WinnerFound(
    trial=0, members=(0,), metric="accuracy", score=0.91, search_score=0.92,
    test={"accuracy": 0.905, "accuracy_low": 0.88, "accuracy_high": 0.93},
)  # fmt: skip
STORIES: tuple[tuple[SearchEvent, ...], ...] = (
    (WorkProgress(seconds=3.0, what="cells: images prepared", done=400, total=1200),),
    (STARTED, *SEARCHING, WARNED),
    (STARTED, *SEARCHING, PhaseStarted(name="finals"), WorkProgress(what="finals: epochs", done=3, total=12)),
    (STARTED, *SEARCHING, WARNED, WON, SearchEnded(seconds=200.0, status="complete")),
)
PAGES = {"light": ("rgb(255, 255, 255)", "rgb(30, 30, 30)"), "dark": ("rgb(17, 20, 24)", "rgb(230, 230, 230)")}
"""Background and text colour of a notebook's page."""


def page(folder: Path, background: str, colour: str) -> Path:
    tables = []
    for story in STORIES:
        state = DisplayState()
        for event in story:
            state.update(event)
        tables.append(notebook_table(state))
    path = folder / "notebook.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><title>notebook</title><link rel="icon" href="data:,">'
        f'<body style="background:{background};color:{colour}">{"<hr>".join(tables)}'
    )
    return path


@pytest.mark.parametrize("theme", PAGES)
def test_a_live_table_has_the_colours_of_its_page(browser, tmp_path, theme):
    background, colour = PAGES[theme]
    browser.get(page(tmp_path, background, colour).as_uri())
    folder = Path(os.environ.get("SEARCHSPACE_SCREENSHOTS") or tmp_path)
    assert browser.save_screenshot(str(folder / f"notebook-{theme}.png"))
    colours = browser.execute_script(
        'return [...document.querySelectorAll(".searchspace-live :is(p, td, th)")].map(e => getComputedStyle(e).color)'
    )
    assert set(colours) == {colour}
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    bars = browser.execute_script('return [...document.querySelectorAll(".bar")].map(e => e.offsetWidth)')
    assert len(bars) == 5
    assert min(bars) > 100
    assert browser.get_log("browser") == []
