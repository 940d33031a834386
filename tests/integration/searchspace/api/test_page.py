"""The Python of docs/api.md runs as it stands, on a made search with an exported winner."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import searchspace
from tests.helpers.documents.blocks import python_blocks
from tests.helpers.made_search import make_exported_search
from tests.helpers.repository import ROOT

BLOCKS = [block.code for block in python_blocks(ROOT / "docs/api.md") if not block.reason]


@pytest.fixture(scope="module")
def place(digits, shipped, tmp_path_factory) -> Path:
    """A folder with `results/digits` and `photo.jpg`."""
    place = tmp_path_factory.mktemp("place")
    folder = make_exported_search(place / "made", digits, shipped[0]).parent
    (place / "results").mkdir()
    folder.rename(place / "results" / "digits")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / "photo.jpg")
    return place


def run_block(code: str) -> dict:
    names: dict = {}
    exec(compile(code, "docs/api.md", "exec"), names)
    return names


def test_a_result_is_read_as_the_page_says(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    names = run_block(BLOCKS[0])
    said = capsys.readouterr().out
    assert str(names["result"].winner.metrics.accuracy) in said
    assert names["result"].winner.predict("photo.jpg")[0] in said


def test_the_callback_ends_a_search_as_the_page_says():
    names = run_block(BLOCKS[1])
    event = searchspace.TrialEnded(number=0, status="complete", epoch=2, score=0.5, reason="", is_best=True)
    names["watch"](event)
    assert names["seen"] == [0.5]
    with pytest.raises(searchspace.StopSearch):
        names["watch"](event.model_copy(update={"score": 1.0}))
    assert len(BLOCKS) == 2
