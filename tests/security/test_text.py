"""Hostile text at every sink, read by what reads it there: no formula, no terminal code, no markup, no tag, no link."""

import ast
import csv
import io
import json
import logging
import os
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from pydantic import ValidationError
from rich.console import Console

from searchspace.finals.winner import write_confusion
from searchspace.prediction.class_scores import ImagePrediction, format_csv, format_text
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.reporting.model_card.card_file import render
from searchspace.reporting.results import read_classifier_results
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.terminal_table import draw_table
from searchspace.spec import load_spec
from searchspace.study import trial_attributes
from searchspace.study.study import load_study
from tests.helpers import made_search
from tests.helpers.made_search import make_exported_search, make_search
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.common.escaping import (
    as_cell,
    as_code,
    as_code_block,
    as_html,
    as_markdown,
    as_yaml,
    from_cell,
    printable,
)
from trainables.config import failure
from trainables.data.copies.leaked_images import LeakedImage, write_leaked_images
from trainables.data.decoding.bad_images import BadImage, read_bad_images, write_bad_images
from trainables.data.layouts.left_out import LeftOut
from trainables.data.layouts.left_out_counts import write_left_out
from trainables.data.store.group_summary import write_shared_groups
from trainables.metrics.class_metrics import measure_test_metrics
from trainables.metrics.predictions import write_table

WIDE = "\uff1d\uff0b\uff0d\uff20"
"""Full-width `=+-@`."""
STARTS = (
    "=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "'=", "''-", *WIDE, "\u200b", "\x1b", "\\", "",
)  # fmt: skip
BODIES = (
    "cmd|' /C calc'!A0", 'HYPERLINK("https://evil.example")', "1 2", "\x1b]0;title\x07", "\x1b[2J\x1b[31mred", "\x9b2J",
    "\u202etxt.exe", "\u2066a\u2069", "two\nlines", "cr\rover", "nul\0", "caf\udce9", "a|b", "`x`", "``` ```", "~~~",
    "[l](https://evil.example)", "![i](https://evil.example/i.png)", "<https://evil.example>", "https://evil.example",
    "www.evil.example", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table>", "&lt;b&gt;",
    "*a* _b_ __c__", "# heading", "- item", "1. item", "> quote", "---", "===", "    code", "$\\frac{1}{2}$", "@user",
    "[red]b[/red]", "[link=https://evil.example]x[/link]", "{{ 7*7 }}", "{a: b}", "!!python/object:os.system", "*a",
    "&a", "%TAG", "a: b # c", "---\nlicense: mit", "null", "\u2028", "日本語 ünï 🐈", "-->", "]]>", "x" * 300, "\\",
    " ", "\"',;",
)  # fmt: skip
HOSTILE = [start + body for start in STARTS for body in BODIES]
COMPUTED = re.compile(rf"[\s\x00-\x1f]*[=+\-@{WIDE}]")
"""A cell that a spreadsheet computes (OWASP: CSV injection), with what is trimmed before it."""


def acts(text: str) -> list[str]:
    """Characters that a terminal acts on, but for the ends of lines."""
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return [c for c in text if (unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c != "\n")
            or unicodedata.bidirectional(c) in bidi]  # fmt: skip


def cells(text: str) -> list[list[str]]:
    assert not acts(text.replace("\r\n", "\n"))
    return list(csv.reader(io.StringIO(text, newline="")))


def is_computed(cell: str) -> bool:
    """Whether a spreadsheet would compute it; a number is one."""
    try:
        float(cell)
    except ValueError:
        return COMPUTED.match(cell) is not None
    return False


def tokens(text: str) -> list[str]:
    """What Markdown made of a text, as a browser would be given it, without the text itself."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [kind.type for block in parser.parse(text) for kind in (block, *(block.children or ()))]


def texts(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return "".join(inline.content for block in parser.parse(text) for inline in block.children or ())


class Tags(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in {"script", "style"}:
            self.text += data


def test_no_cell_is_computed_and_all_come_back():
    for text in HOSTILE:
        cell = as_cell(text)
        assert not is_computed(cell), text
        assert not acts(cell), text
        assert cells(f"{cell}\n") or not cell
        if not acts(text) and "\n" not in text:
            assert from_cell(cell) == text
    for number in (-1, -0.5, 1e-9, float("-inf"), None, True):
        assert as_cell(number) is number
    assert [as_cell(text) for text in ("-0.5", "+3", "-1e-05", "-inf")] == ["-0.5", "+3", "-1e-05", "-inf"]


def test_every_csv_is_shown_and_not_computed(tmp_path):
    count = len(HOSTILE)
    rows = [{"name": text, f"h {text}": "x", text: -0.5} for text in HOSTILE]
    found = {"board": to_text([dict.fromkeys(HOSTILE, HOSTILE[0])], "csv")}
    found["row"] = "".join(to_text([row], "csv") for row in rows)
    found["guess"] = "".join(format_csv(ImagePrediction(text, ((text, 0.5),))) for text in HOSTILE)
    write_bad_images(tmp_path, [BadImage(text, text) for text in HOSTILE])
    write_left_out(tmp_path, [LeftOut(text, "hidden", text) for text in HOSTILE])
    write_leaked_images(tmp_path, [LeakedImage(text, "test", text, "train") for text in HOSTILE])
    write_shared_groups(tmp_path, dict.fromkeys(("train", "val", "test"), np.arange(count)), tuple(HOSTILE))
    some = tuple(HOSTILE[:: count // 80])
    labels, answers = np.arange(len(some)), np.eye(len(some), dtype=np.float32)
    write_table(tmp_path / "predictions.csv", some, labels, answers, some)
    write_table(tmp_path / "many.csv", tuple(HOSTILE[:150]), np.arange(150), np.eye(150), tuple(HOSTILE[:150]))
    few = tuple(HOSTILE[:4])
    write_confusion(tmp_path, measure_test_metrics(np.eye(4)[[0, 1, 2, 3, 3]], np.array([0, 1, 2, 3, 2]), few))
    found |= {file.name: file.read_bytes().decode() for file in tmp_path.glob("*.csv")}
    assert len(found) == 10
    for name, text in found.items():
        table = cells(text)
        assert not [cell for row in table for cell in row if is_computed(cell)], name
    assert len(cells(found["bad-images.csv"])) == count + 1
    assert [image.name for image in read_bad_images(tmp_path)] == [from_cell(as_cell(text)) for text in HOSTILE]


def test_a_board_s_numbers_stay_numbers():
    row = {"score": -0.0951, "behind": -3, "lr": 1e-9, "on": True, "none": None}
    assert to_text([row], "csv") == "score,behind,lr,on,none\n-0.0951,-3,1e-09,True,\n"


@pytest.mark.parametrize("place", ["{}", "a {} b", "{}: text", "- {}", "# {}", "| a |\n| --- |\n| {} |", "**{}**"])
def test_markdown_shows_text_and_obeys_none(place):
    plain = tokens(place.format("x"))
    for text in HOSTILE:
        if text != text.strip() and place == "**{}**":
            continue
        written = place.format(as_markdown(text))
        assert tokens(written) == plain, (text, written)
        assert not acts(written)
        assert not re.search(r"https?://|www\.(?=\w)|(?<!\\)@\w", written), "GitHub makes links of these by itself"
        assert printable(text).strip() in texts(written)


def test_code_in_markdown_is_code():
    for text in HOSTILE:
        assert tokens(f"a {as_code(text)} b") == tokens("a `x` b"), text
        assert tokens(as_code_block(text, "python")) == ["fence"], text
        assert not acts(as_code_block(text) + as_code(text))


def test_yaml_holds_text_and_nothing_else():
    document = {"names": HOSTILE, "a": [{text: text} for text in HOSTILE], "value": -0.5}
    written = as_yaml(document)
    assert not acts(written)
    assert not [line for line in written.splitlines() if line.startswith(("---", "..."))]
    found = yaml.safe_load(written)
    assert found["names"] == [printable(text) for text in HOSTILE]
    assert [next(iter(each.items())) for each in found["a"]] == [(printable(text), printable(text)) for text in HOSTILE]


def test_html_holds_text_and_no_tag():
    for text in HOSTILE:
        page = Tags(f'<p title="{as_html(text)}">{as_html(text)}</p>')
        assert page.tags == [("p", ("title",))], text
        assert page.text == printable(text)
    board = to_text([{"name": text, "score": -0.5} for text in HOSTILE], "html")
    known = Tags(to_text([{"name": "x", "score": -0.5}] * len(HOSTILE), "html"))
    assert [tag for tag, _ in Tags(board).tags] == [tag for tag, _ in known.tags]
    heads = to_text([dict.fromkeys(HOSTILE[:40], 1)], "html")
    assert {tag for tag, _ in Tags(heads).tags} <= {tag for tag, _ in known.tags}
    assert not acts(board + heads)


def test_markdown_boards_have_the_cells_they_were_given():
    head = HOSTILE[:6]
    table = to_text([dict.fromkeys(head, text) for text in HOSTILE], "md")
    found = tokens(table)
    assert found.count("th_open") == len(head)
    assert found.count("td_open") == len(head) * len(HOSTILE)
    assert not {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "strong_open"} & set(found)


def test_a_terminal_gets_text_alone(capsys):
    for text in HOSTILE:
        ConsoleReporter().show(logging.INFO, text)
        print(format_text(ImagePrediction(text, ((text, 0.5),))), end="")
    said = capsys.readouterr().out
    assert not acts(said)
    assert len(said.splitlines()) == 2 * len(HOSTILE)
    console = Console(file=io.StringIO(), width=4000, force_terminal=True, highlight=False, color_system="truecolor")
    console.print(draw_table([{text: text} for text in HOSTILE[:1]], HOSTILE[3], 4000))
    for text in HOSTILE:
        console.print(draw_table([{"name": text, text: 1}], text, 4000))
    shown = console.file.getvalue()
    assert not acts(re.sub(r"\x1b\[[0-9;]*m", "", shown)), "but for the board's own styles"
    assert "\x1b]8" not in shown, "no links"


def leaves(record, path=()):
    """Paths of all texts in a record, the names of mappings aside."""
    if isinstance(record, str):
        yield path
    elif isinstance(record, dict):
        for name, value in record.items():
            yield from leaves(value, (*path, name))
    elif isinstance(record, list):
        for place, value in enumerate(record[:2]):
            yield from leaves(value, (*path, place))


def put(record, path, value):
    for step in path[:-1]:
        record = record[step]
    record[path[-1]] = value


@pytest.fixture(scope="module")
def winner(shipped, digits, tmp_path_factory) -> Path:
    """The winner of a made search, which was really trained, tested and exported."""
    return make_exported_search(tmp_path_factory.mktemp("results"), digits, shipped[0])


def shape(card: str) -> list[str]:
    """The card's blocks and marks, without how often inline text is split."""
    return [kind for kind in tokens(card.split("---\n", 2)[2]) if kind not in {"text", "inline", "fence", "softbreak"}]


TEXT = "x\x1b[31m | `y` ``` \n# z\n---\n<b>[l](https://evil.example)</b> www.evil.example"


@pytest.mark.parametrize("file", ["search.json", "winner/model.json", "winner/metrics.json", "winner/artefacts.json"])
def test_no_text_of_any_record_is_markup_on_the_model_card(winner, file):
    """Each text of each record in turn; what a schema refuses is refused."""
    study = load_study(load_spec(winner.parent), winner.parent)
    kept = (winner.parent / file).read_text()
    plain, tried = render(read_classifier_results(winner, study)), 0
    marks = {"html_inline", "html_block", "image"}
    try:
        for path in leaves(json.loads(kept)):
            record = json.loads(kept)
            put(record, path, TEXT)
            (winner.parent / file).write_text(json.dumps(record))
            try:
                card = render(read_classifier_results(winner, study))
            except (UserError, ValidationError, KeyError):
                continue
            tried += 1
            assert not acts(card), path
            found = tokens(card.split("---\n", 2)[2])
            assert not marks & set(found), path
            assert found.count("link_open") <= tokens(plain.split("---\n", 2)[2]).count("link_open"), path
            assert found.count("heading_open") <= tokens(plain.split("---\n", 2)[2]).count("heading_open"), path

            front = yaml.safe_load(card.split("---\n")[1])
            assert set(front) <= {*yaml.safe_load(plain.split("---\n")[1]), "license_name"}, path
    finally:
        (winner.parent / file).write_text(kept)
    assert tried


MAY_PRINT = {
    "searchspace/cli/output.py", "searchspace/progress/console_reporter.py", "searchspace/progress/progress_bar.py",
    "searchspace/cluster/clouds/spot.py", "trainables/storage/temporary.py",
    "trainables/export/benchmark/benchmark_process.py", "trainables/export/benchmark/architecture_benchmark.py",
}  # fmt: skip
"""Modules that may write to standard output or error themselves; all others do by `searchspace.cli.output`."""


def prints(source: str) -> list[int]:
    """Lines that print, or write to a standard stream."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" or re.fullmatch(r"sys\.(stdout|stderr)(\.buffer)?\.write(lines)?", called):
                found.append(node.lineno)
    return found


def test_nothing_prints_but_what_escapes():
    assert prints("print(1)\nsys.stdout.write('x')\nconsole.print(2)") == [1, 2]
    files = [path for package in ("searchspace", "trainables") for path in (ROOT / package).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if prints(path.read_text())}
    assert found == MAY_PRINT


@pytest.fixture(scope="module")
def hostile(digits, tmp_path_factory) -> Path:
    """A finished search whose classes, data, reasons and machine have names that attack."""
    names = tuple(f"{start}{TEXT} {number}" for number, start in enumerate(("=", "+", "-", "@", "\t=", " ", "", "'=")))
    data = digits.model_copy(update={"classes": (*names, "=1+1", "</script>"), "name": f"={TEXT}"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_search, "record_reason", lambda trial, _: trial_attributes.record_reason(trial, f"={TEXT}"))
        patch.setattr(made_search, "failure", lambda trial, _, epoch: failure(trial, f"={TEXT}", epoch))
        folder = make_search(tmp_path_factory.mktemp("hostile"), data)
    for file, text in (("search.json", "a CPU"), ("winner/artefacts.json", "a made one")):
        content = (folder / file).read_text()
        assert text in content
        (folder / file).write_text(content.replace(text, json.dumps(f"={TEXT}")[1:-1]))
    return folder


@pytest.mark.parametrize("words", [
    ["leaderboard", "made"], ["leaderboard", "made", "--format", "csv"], ["leaderboard", "made", "--format", "json"],
    ["leaderboard", "made", "--format", "md"], ["leaderboard", "made", "--format", "html"], ["leaderboard", "."],
    ["replay", "made"], ["report", "made"],
], ids=" ".join)  # fmt: skip
def test_no_command_passes_on_what_acts(hostile, words):
    command = [sys.executable, "-m", f"searchspace.{words[0]}", *words[1:]]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "300", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=hostile.parent, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert not acts(text)
    assert not acts(done.stderr.decode())
    if words[-1] == "csv":
        assert not [cell for row in cells(text) for cell in row if is_computed(cell)]
        assert any(cell.startswith("'=x") for row in cells(text) for cell in row), "the reason is there"
    if words[-1] == "md":
        assert not {"html_inline", "link_open", "image", "code_inline", "heading_open"} & set(tokens(text))
    pages = [text] if words[-1] == "html" else [(hostile / "report.html").read_text()] if words[0] == "report" else []
    for page in pages:
        found = Tags(page)
        assert not acts(found.text)
        assert "b" not in {tag for tag, _ in found.tags}
        assert not [names for _, names in found.tags if any(name.startswith("on") for name in names)]
