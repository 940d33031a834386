"""Names from outside, as hostile as file systems allow, in everything that is printed or written."""

import csv
import json
import logging
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspace.finals.winner import write_confusion
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.terminal_table import print_table
from searchspace.spec import make_spec
from tests.helpers.images.data_sets import write_images
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.common.escaping import as_cell, as_markdown, decodable, printable
from trainables.data.data_options import DataOptions
from trainables.data.store.store import open_store, prepare_data
from trainables.metrics.class_metrics import measure_test_metrics

NAMES = (
    "<script>alert(1)</script>", "a|b`c*d_[e](f)", "new\nline", 'quo"te,comma', "\x1b[31mred\x1b[0m", "日本語 ünï 🐈",
    "$\\frac{", "=1+1", "__init__", " ", "x" * 200, "right\u202eleft", "-rf", "&amp;",
)  # fmt: skip


def folder_of(root: Path, names=NAMES) -> Path:
    for label, name in enumerate(names):
        write_images(root / name.replace("/", "-"), 4, (8, 8), (10 * label, 0, 0))
    return root


def test_text_becomes_one_harmless_line():
    assert printable("a\nb\x1b[0m\u202e\udce9 ü日🐈") == "a\\nb\\x1b[0m\\u202e\\udce9 ü日🐈"
    assert decodable("caf\udce9") == "caf\\udce9"
    assert decodable("e\u0301") == "\u00e9", "a Mac's way of writing é is é"
    for name in NAMES:
        assert printable(name).isprintable()


def test_class_names_are_kept_as_they_are(tmp_path):
    data = prepare_data(str(folder_of(tmp_path / "set")))
    assert set(data.classes) == {name.replace("/", "-") for name in NAMES}
    assert open_store(data).summary == data
    assert json.loads((Path(data.path) / "summary.json").read_bytes())["classes"] == list(data.classes)


def test_undecodable_names_are_readable_ones(tmp_path):
    root = os.fsencode(tmp_path / "set\n\x1b")
    for name in (b"caf\xe9", b"th\xe9"):
        os.makedirs(root + b"/" + name)
        for i in range(10):
            file = root + b"/" + name + b"/\xff\n%d.png" % i
            Image.fromarray(np.full((6, 6), i + 10 * (name[0] == 99), np.uint8)).save(os.fsdecode(file))
    data = prepare_data(os.fsdecode(root))
    assert data.classes == ("caf\\udce9", "th\\udce9")
    assert "\n" not in data.path
    Path(os.fsdecode(root + b"/caf\xe9/\xff\n3.png")).write_bytes(b"")
    with pytest.raises(UserError) as error:
        prepare_data(os.fsdecode(root))
    assert "/caf\\udce9/\\udcff\\n3.png (empty)" in str(error.value)
    skipped = prepare_data(os.fsdecode(root), options=DataOptions(on_bad_image="skip"))
    rows = list(csv.reader((Path(skipped.path) / "bad-images.csv").open(newline="", encoding="utf-8")))
    assert rows[1][0].endswith("/caf\\udce9/\\udcff\\n3.png")


def test_markdown_shows_names_and_obeys_none():
    table = to_text([{"class": name, "images": 3} for name in NAMES], "md")
    lines = table.splitlines()
    assert len(lines) == len(NAMES) + 2
    assert all(line.isprintable() for line in lines)
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert "<script" not in table
    assert as_markdown("__init__") == r"\_\_init\_\_"
    assert as_markdown("tf_efficientnet_lite0 -0.41 to 0.70") == "tf_efficientnet_lite0 -0.41 to 0.70"
    ET.fromstring(f"<p>{'<br/>'.join(lines)}</p>")  # a browser would find no other tag


def test_confusion_files_hold_any_name(tmp_path):
    count = len(NAMES)
    labels = np.arange(3 * count) % count
    metrics = measure_test_metrics(np.eye(count)[(labels + (labels == 3)) % count], labels, NAMES)
    code = "import sys; from pathlib import Path; from trainables.metrics.class_metrics import TestMetrics as M; "
    code += "from searchspace.finals.winner import write_confusion as w; "
    code += "w(Path(sys.argv[1]), M.model_validate_json(Path(sys.argv[1], 'm.json').read_bytes()))"
    (tmp_path / "m.json").write_text(metrics.model_dump_json(), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.reader((tmp_path / "confusion.csv").open(newline="", encoding="utf-8")))
    assert tuple(rows[0][1:]) == tuple(row[0] for row in rows[1:]) == tuple(map(as_cell, NAMES))
    with Image.open(tmp_path / "confusion.png") as picture:
        assert max(picture.size) < 3000
    write_confusion(tmp_path, metrics)


def test_a_terminal_is_told_no_codes(capsys):
    ConsoleReporter().show(logging.INFO, "data \x1b[2J\nnext")
    print_table([{"class": "\x1b[31mred\r"}], "title")
    said = capsys.readouterr().out
    assert "data \\x1b[2J\\nnext" in said
    assert "\\x1b[31mred\\r" in said
    assert "\x1b" not in said


def test_a_search_is_named_after_any_folder(tmp_path):
    assert make_spec(data=str(tmp_path / "Über fotos\n2")).name.startswith("ber-fotos-2-")
    assert make_spec(data=str(tmp_path / "日本語")).name.startswith("data-")
    assert make_spec(data=str(tmp_path / ("x" * 250))).name.startswith("x" * 50 + "-")


def test_an_error_is_one_line_on_any_terminal(tmp_path):
    folder_of(tmp_path / "日本\n語", ("ünï",))
    command = [sys.executable, "-m", "searchspace.run", "--data", str(tmp_path / "日本\n語")]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 2
    (line,) = done.stderr.decode("latin-1").splitlines()
    assert line.startswith("error: --data ")
    assert "only one class, 'ünï'" in line
