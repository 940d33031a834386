"""The structure of report and model card, as golden files; tests/helpers/golden.py says how to renew them."""

import re
import shutil
from pathlib import Path

import pytest

from searchspace.reporting.html.answer import make_answer
from searchspace.reporting.html.blocks import Block, Code, Figure, Note, Pictures, Table
from searchspace.reporting.html.report_sections import REPORT_SECTIONS, draw
from searchspace.reporting.model_card.card_file import write_card
from searchspace.reporting.results import SearchResults, read_results
from searchspace.storage.search_folder import WINNER
from tests.helpers.golden import check_golden, mask_numbers
from tests.helpers.made_search import make_search
from trainables.export.model_info import MODEL_INFO


@pytest.fixture(scope="module")
def folder(digits, trained, tmp_path_factory) -> Path:
    """A made search, whose results are the same on every machine."""
    found = make_search(tmp_path_factory.mktemp("results"), digits)
    shutil.copy(trained / MODEL_INFO, found / WINNER / MODEL_INFO)
    return found


def test_the_model_card_is_the_golden_one(folder):
    text = write_card(folder / WINNER).read_text(encoding="utf-8")
    text = re.sub(r"\b[0-9a-f]{16,}\b", "DIGEST", text)
    check_golden(__file__, "model_card.md", mask_numbers(text))


def test_the_report_has_the_golden_structure(folder):
    check_golden(__file__, "report_structure.txt", mask_numbers("\n".join(structure(read_results(folder))) + "\n"))


def structure(results: SearchResults) -> list[str]:
    """A line for the answer, each section and each of its blocks."""
    top = make_answer(results)
    lines = [f"answer: {top.headline}", *(f"  tile: {tile.name}" for tile in top.tiles)]
    lines += [f"  {describe(block)}" for block in top.blocks]
    for section in REPORT_SECTIONS:
        drawn = draw(section, results)
        lines.append(f"section {section.anchor}: {section.title}{' (wide)' if section.wide else ''}")
        lines += (
            [f"  missing: {drawn.missing}"] if drawn.missing else [f"  {describe(block)}" for block in drawn.blocks]
        )
    return lines


def describe(block: Block) -> str:
    """What is fixed of a block: a table's columns, a figure's name and axes, the start of a sentence."""
    if isinstance(block, Table):
        return f"table {block.title!r}: {' | '.join(block.columns)}"
    if isinstance(block, Figure):
        axes = [block.layout.get(axis, {}).get("title", {}).get("text", "") for axis in ("xaxis", "yaxis")]
        return f"figure {block.name}: {block.says}; {' by '.join(filter(None, axes))}"
    if isinstance(block, Note):
        return f"note: {block.text[:60]}"
    if isinstance(block, Code):
        return f"code: {block.title or block.text.splitlines()[0]}"
    if isinstance(block, Pictures):
        return f"pictures: {block.title or len(block.pictures)}"
    return f"link: {block.target}"
