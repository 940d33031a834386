"""Pictures of what people see: help and doctor as a terminal shows them, and a data page; kept as artefacts.

`SEARCHSPACE_SCREENSHOTS` names the folder of pictures; without it they are in the test's own.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from tests.helpers.repository import ROOT

pytestmark = pytest.mark.browser

COLUMNS = 100
TERMINALS = {
    "overview": (), "help": ("run", "--help"), "help-all": ("run", "--help-all"), "doctor": ("doctor",),
    "clean": ("clean",),
}  # fmt: skip
"""Command lines by the name of their picture."""


def run(*arguments: str) -> str:
    """What a command prints on a terminal with colours."""
    environment = os.environ | {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "searchspace", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def terminal_page(shown: str) -> str:
    """What a terminal showed, as a page."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(shown))
    return console.export_html(inline_styles=True)


def pictures(tmp_path: Path) -> Path:
    """The folder of pictures, which is made."""
    folder = Path(os.environ.get("SEARCHSPACE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", TERMINALS)
def test_a_terminal_s_picture_is_kept(browser, tmp_path, name):
    page = tmp_path / f"{name}.html"
    page.write_text(terminal_page(run(*TERMINALS[name])))
    browser.get(page.as_uri())
    shown = browser.find_element("tag name", "body").text
    assert f"searchspace {TERMINALS[name][0]}" in shown if name.startswith("help") else shown
    assert browser.save_screenshot(str(pictures(tmp_path) / f"{name}.png"))


def test_a_data_page_s_picture_is_kept(browser, tmp_path):
    run("data", "digits", "--html", str(tmp_path / "data.html"))
    browser.get((tmp_path / "data.html").as_uri())
    assert "digits" in browser.find_element("tag name", "body").text
    assert browser.save_screenshot(str(pictures(tmp_path) / "data.png"))
