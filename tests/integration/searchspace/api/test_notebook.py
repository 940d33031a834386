"""A search in a notebook: a live table, the interrupt button, and what a result looks like."""

import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

pytestmark = pytest.mark.slow
SEARCH = """
import pathlib, signal, threading
import searchspace

def tell(event):
    if isinstance(event, searchspace.EpochEnded):
        pathlib.Path("epoch").touch()

OPTIONS = dict(models=["convnet"], set={"width": 8, "depth": 1}, trials=2, max_epochs=2, grace_epochs=1, finalists=1,
               final_seeds=1, formats=["onnx"])
before = signal.getsignal(signal.SIGINT)
result = searchspace.search("digits", name="notebook", callbacks=[tell], **OPTIONS)
"""
RESUME = """
assert signal.getsignal(signal.SIGINT) is before
result = searchspace.load("results/notebook").resume()
"""
PREDICT = """
import numpy as np
print(len(result.leaderboard), len(result.winner.predict([np.zeros((8, 8), np.uint8)] * 3)))
"""


class RecordingClient(NotebookClient):
    """Keeps every drawing of an output that is replaced."""

    drawings: list[str] = []  # noqa: RUF012  # one notebook

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in {"display_data", "update_display_data"}:
            self.drawings.append(msg["content"]["data"].get("text/html", ""))
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def cells(folder, cache) -> list[Any]:
    """The cells of a notebook that was run: an interrupted search, its resumption, and its result."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (SEARCH, RESUME, "result", "result.winner", PREDICT)]
    )
    manager = KernelManager(kernel_name="python3")
    client = RecordingClient(
        notebook, km=manager, timeout=250, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    is_over = threading.Event()
    interrupter = threading.Thread(target=_interrupt_at_epoch, args=(folder, manager, is_over))
    interrupter.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        try:
            client.execute()
        finally:
            is_over.set()
            interrupter.join()
            if manager.has_kernel:
                manager.shutdown_kernel(now=True)
    return list(notebook.cells)


def _interrupt_at_epoch(folder: Path, manager: KernelManager, is_over: threading.Event) -> None:
    """Press the notebook's interrupt button, once a trial has trained an epoch."""
    while not is_over.wait(0.1):
        if (folder / "epoch").exists():
            manager.interrupt_kernel()
            return


def html_of(cell: Any) -> list[str]:
    return [output["data"]["text/html"] for output in cell["outputs"] if "text/html" in output.get("data", {})]


def test_the_interrupt_button_stops_a_search_calmly(cells):
    (error,) = [output for output in cells[0]["outputs"] if output["output_type"] == "error"]
    assert error["ename"] == "SearchInterrupted"
    assert error["evalue"] == (
        "search 'notebook' was interrupted; resume with: searchspace.load('results/notebook').resume()"
    )
    (table,) = html_of(cells[0])
    assert "interrupted after" in table


def test_a_table_is_updated_in_place_and_ends_as_a_summary(cells):
    assert [output["output_type"] for output in cells[1]["outputs"]] == ["display_data"], "and nothing else is printed"
    (table,) = html_of(cells[1])
    assert "complete after" in table
    assert "winner: trial" in table
    assert "<table>" not in table
    assert any("<table>" in drawing and "best: trial" in drawing for drawing in RecordingClient.drawings)


def test_result_and_winner_are_shown(cells):
    assert "searchspace-view" in html_of(cells[2])[0]
    assert "searchspace-view" in html_of(cells[3])[0]
    assert [output.get("text", output) for output in cells[4]["outputs"]] == ["2 3\n"]
