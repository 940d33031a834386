"""The report: complete, escaped, alone in the world; and what it says where there is nothing to draw."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs
from sklearn.metrics import average_precision_score

from searchspace.finals.reliability import TestPredictions, accuracy_by_confidence
from searchspace.reporting.html.answer import make_answer
from searchspace.reporting.html.blocks import Code, Note, Table, figure_label, log_axis
from searchspace.reporting.html.learning_curves import MAX_LEARNING_CURVES, losses
from searchspace.reporting.html.prediction_quality import (
    MAX_CONFUSION_CLASSES,
    compute_curve,
    confusion,
    precision_recall,
)
from searchspace.reporting.html.report_file import write_report, write_report_or_warn
from searchspace.reporting.html.report_sections import REPORT_SECTIONS, draw
from searchspace.reporting.html.slices import slices_of
from searchspace.reporting.html.timeline import trial_spans
from searchspace.reporting.results import read_results
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.trials import board_rows
from searchspace.spec import load_spec
from searchspace.study.study import load_study
from tests.helpers.attacks.hostile import HOSTILE
from tests.helpers.made_search import make_search
from trainables.augmentation.corruptions import CORRUPTIONS
from trainables.augmentation.preview import COLUMNS, arrange_images, augmented_versions
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.store.store import open_store
from trainables.data.thumbnails import THUMBNAILS_FILE, encode_png
from trainables.export.exported_files import FORMAT_FILES
from trainables.export.model_info import InputSpec
from trainables.metrics.class_metrics import calibration_error, measure_test_metrics
from trainables.metrics.intervals import wilson
from trainables.metrics.predictions import PREDICTIONS, ImageDetails
from trainables.models.preprocess import Preprocess


def figures(page: str) -> dict[str, dict]:
    found = re.findall(r'<script type="application/json" id="([\w-]+)-figure">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


@pytest.fixture(scope="module")
def made(digits, tmp_path_factory):
    return make_search(tmp_path_factory.mktemp("results"), digits)


@pytest.fixture(scope="module")
def page(made):
    return write_report(made).read_text()


def test_every_section_of_a_finished_search_is_drawn(made, page):
    drawn = [draw(section, read_results(made)) for section in REPORT_SECTIONS]
    assert {part.section.title: part.missing for part in drawn if part.missing or not part.blocks} == {}
    assert [f'<section id="{section.anchor}"' in page for section in REPORT_SECTIONS] == [True] * len(REPORT_SECTIONS)
    assert set(figures(page)) == {
        "history", "curves", "losses", "parallel", "importances", "timeline", "files", "trials-latency", "confusion",
        "precision-recall", "calibration", "slices", "robustness", "balance",
    }  # fmt: skip


def test_plotly_knows_every_property_of_every_figure(page):
    def coloured(value):
        if isinstance(value, dict):
            return {key: coloured(each) for key, each in value.items()}
        if isinstance(value, list):
            return [coloured(each) for each in value]
        return "#123456" if isinstance(value, str) and value.startswith("var(--") else value

    for content in figures(page).values():
        known = go.Figure(coloured(content))  # raises where one is unknown
        assert len(known.data) == len(content["data"])


def test_the_answer_comes_first(made, page):
    metrics = read_results(made).winner.metrics
    head = page[: page.index("<nav")]
    assert "The winner is trial 0: convnet" in head
    assert f"{metrics.accuracy:.2%}" in head
    assert f"95 % Wilson interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}" in head
    best = read_results(made).winner.shipment.recommended_file
    assert best.format == "onnx-int8"
    assert f"{best.size_mb:.3g} MB" in head
    assert f"{best.speed.latency_ms:.3g} ms" in head, "of the recommended file, not of the one that limits hold for"
    assert "one raw image, one thread of a made one" in head
    assert page.index(f"{best.file}&#34;)") < page.index('<section id="board"')
    assert "is not significantly different" in head
    assert page.index("InferenceSession(") < page.index('<section id="board"')


@pytest.mark.parametrize(
    ("form", "file", "words"),
    [
        ("onnx", "winner/model.onnx", "needs onnxruntime"), ("pt2", "winner/model.pt2", "needs torch, numpy"),
        ("pt2-half", "winner/model-half.pt2", "needs torch on a CUDA GPU"),
        ("pytorch", 'Path(".")', "needs this project"),
    ],
)  # fmt: skip
def test_the_lines_run_the_file_that_is_recommended(made, form, file, words):
    results = read_results(made)
    shipment = results.winner.shipment
    first, *others = shipment.artefacts
    named = [first.model_copy(update={"format": name, "file": FORMAT_FILES[name]}) for name in FORMAT_FILES]
    assert others
    results.winner.__dict__["shipment"] = shipment.model_copy(update={"artefacts": tuple(named), "recommended": form})
    found = make_answer(results)
    (code,) = (block.text for block in found.blocks if isinstance(block, Code))
    assert file in code
    assert [block.text for block in found.blocks if isinstance(block, Note) and words in block.text]
    assert any(tile.note.startswith(FORMAT_FILES[form]) for tile in found.tiles)
    assert ("cuda" in code) == (form == "pt2-half")


def test_nothing_is_asked_of_a_network(page):
    own = page.replace(get_plotlyjs(), "")
    assert re.findall(r"\w+://[^ <]*", own) == []
    sources = re.findall(r'(?:src|href|action|data)="([^"]*)"', own.replace('<a href="winner/README.md">', ""))
    assert sources
    assert [s[:40] for s in sources if not s.startswith(("data:", "#"))] == []
    assert "@import" not in own
    assert "url(" not in own
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', own)[1]
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe-eval" not in policy
    assert "script-src &#39;sha256-" in policy, "no script but the page's own"


def test_names_are_text_wherever_they_stand(digits, tmp_path):
    names = (HOSTILE, '"><b>bold', "{{ 7*7 }}", "${alert(1)}", "\u202eevil\x1b[31m", *digits.classes[5:])
    page = write_report(make_search(tmp_path, digits.model_copy(update={"classes": names}))).read_text()
    own = page.replace(get_plotlyjs(), "")
    assert "<img src=x" not in own
    assert "<b>bold" not in own
    assert "49" not in re.findall(r"<td class=\"\">(\d+)</td>", own)
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in own
    assert "\x1b" not in own
    assert len(re.findall(r"<script>", own)) == 3
    assert figure_label(HOSTILE) in figures(page)["balance"]["data"][0]["text"], "Plotly reads HTML, too"


def test_a_search_that_is_not_over_says_what_it_lacks(digits, tmp_path):
    folder = make_search(tmp_path, digits, finished=False)
    page = write_report(folder).read_text()
    assert "There is no winner yet" in page
    assert "24" in page[: page.index("<nav")]
    drawn = [draw(section, read_results(folder)) for section in REPORT_SECTIONS]
    missing = {part.section.title: part.missing for part in drawn if part.missing}
    assert set(missing) == {
        "Confusion matrix", "Classes", "Precision and recall", "Calibration", "Slices", "Robustness",
        "Worst mistakes", "Most uncertain", "Augmentation",
    }  # fmt: skip
    measured = "How the winner bears worse images has not been measured; an export does."
    assert set(missing.values()) <= {"There is no tested winner yet.", "There is no winner yet.", measured}
    assert set(figures(page)) == {
        "history", "curves", "losses", "parallel", "importances", "timeline", "trials-latency", "balance",
    }  # fmt: skip


def test_a_search_of_no_trials_makes_a_report(digits, tmp_path):
    folder = make_search(tmp_path, digits, trials=0, finished=False)
    page = write_report(folder).read_text()
    assert "No trial has begun." in page
    assert set(figures(page)) == {"balance"}


def _missing(folder):
    return {p.section.anchor: p.missing for p in (draw(s, read_results(folder)) for s in REPORT_SECTIONS) if p.missing}


def test_a_report_opens_no_data(made, digits, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    record = json.loads((folder / "search.json").read_text())
    record["data"] = digits.model_copy(update={"path": str(tmp_path / "gone"), "fingerprint": "another"}).model_dump()
    (folder / "search.json").write_text(json.dumps(record))
    assert _missing(folder) == {}


def _of_another_test(file):
    file.write_text(json.dumps(json.loads(file.read_text()) | {"predictions": "others"}))


@pytest.mark.parametrize("change", [Path.unlink, _of_another_test])
def test_without_its_test_images_a_report_lacks_only_the_pictures(change, made, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    change(folder / "winner" / THUMBNAILS_FILE)
    missing = _missing(folder)
    assert set(missing) == {"mistakes", "uncertain"}
    assert all("are not in the winner's folder" in reason for reason in missing.values())


def test_a_test_image_that_is_none_is_damaged(made, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    file = folder / "winner" / THUMBNAILS_FILE
    record = json.loads(file.read_text())
    record["images"] |= {name: base64.b64encode(b"a private key").decode() for name in record["images"]}
    file.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"^damaged: .*test-images.json': images.\d+: is no PNG file"):
        write_report(folder)


def test_the_worst_mistake_is_the_first(made):
    results = read_results(made)
    found = results.winner.predictions
    (_note, pictures) = draw(next(s for s in REPORT_SECTIONS if s.anchor == "mistakes"), results).blocks
    truth = np.where(
        found.predicted != found.labels, found.probabilities[np.arange(len(found.labels)), found.labels], 2
    )
    worst = int(truth.argmin())
    first = pictures.pictures[0]
    assert first.lines[0] == f"true: {found.labels[worst]} ({truth[worst]:.1%})"
    assert first.lines[-1] == results.winner.image_facts.paths[worst]
    assert first.lines[-1].startswith("train["), "digits are no files"
    shown = Image.open(io.BytesIO(base64.b64decode(first.source.partition(",")[2])))
    images, _ = open_store(results.data).open_test(results.winner.folder / "test-opened.json")
    assert np.array_equal(np.array(shown), images[worst][0])


def test_a_picture_says_its_path_whatever_that_is(made, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    arrays = dict(np.load(folder / "winner" / PREDICTIONS))
    arrays["paths"] = np.array([f"{HOSTILE}/\u202e{i}\n.png" for i in range(len(arrays["labels"]))])
    np.savez_compressed(folder / "winner" / PREDICTIONS, **arrays)
    page = write_report(folder).read_text()
    assert HOSTILE not in page.replace(get_plotlyjs(), "")
    assert len(re.findall(r"<span>&lt;/script&gt;[^<]*/\\u202e\d+\\n\.png</span>", page)) > 16
    for name in ("paths", "brightness", "contrast", "sizes"):  # as an earlier version left them
        del arrays[name]
    np.savez_compressed(folder / "winner" / PREDICTIONS, **arrays)
    results = read_results(folder)
    for anchor in ("mistakes", "uncertain"):
        _, pictures = draw(next(s for s in REPORT_SECTIONS if s.anchor == anchor), results).blocks
        assert pictures.pictures[0].lines[-1].startswith("test image ")
    table, _ = draw(next(s for s in REPORT_SECTIONS if s.anchor == "slices"), results).blocks
    assert {row["by"] for row in table.rows} == {"class"}


def test_losses_are_those_of_the_finalists(made, digits, tmp_path):
    results = read_results(made)
    figure, note = draw(next(s for s in REPORT_SECTIONS if s.anchor == "losses"), results).blocks
    names = ["trial 0 (winner), training", "trial 0 (winner), validation", "trial 3, training", "trial 3, validation"]
    assert [trace["name"] for trace in figure.traces] == names
    assert figure.traces[0]["x"] == list(range(1, 10))
    assert figure.traces[0]["y"] == [round(2 / epoch, 6) for epoch in range(1, 10)]
    assert figure.traces[1]["y"] == [round(0.1 + 2 / epoch, 6) for epoch in range(1, 10)]
    assert "finalists' trials" in note.text
    unfinished = read_results(make_search(tmp_path, digits, trials=6, finished=False))
    figure, note = losses(unfinished)
    assert figure.traces[0]["name"] == f"trial {board_rows(unfinished.study)[0]['trial']}, training"
    assert "best trials so far" in note.text


def test_precision_and_recall_are_counted_at_every_threshold():
    scores, right = np.array([0.9, 0.8, 0.8, 0.3, 0.1]), np.array([True, False, True, True, False])
    curve = compute_curve(scores, right)
    for threshold, precision, recall in zip(curve.thresholds, curve.precision, curve.recall, strict=True):
        above = scores >= threshold
        assert recall == (above & right).sum() / 3
        assert precision == ((above & right).sum() / above.sum() if above.any() else 1.0)
    assert curve.average == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 3 / 4)


def test_of_many_classes_the_hardest_have_curves(made):
    results = read_results(made)
    figure, note = precision_recall(results)
    found = results.winner.predictions
    averages = {
        name: average_precision_score(found.labels == i, found.probabilities[:, i])
        for i, name in enumerate(results.data.classes)
    }
    hardest = sorted(averages, key=averages.__getitem__)[:6]
    assert [trace["name"] for trace in figure.traces[1:]] == [f"{n}, AP {averages[n]:.3f}" for n in hardest]
    assert f"mean over classes is {np.mean(list(averages.values())):.4f}" in note.text
    assert len(figure.traces[0]["x"]) <= 150


def test_slices_are_of_all_test_images_and_count_right():
    rng = np.random.default_rng(0)
    sizes = np.array([[10, 20]] * 40 + [[20, 10]] * 30 + [[20, 20]] * 30)
    facts = ImageDetails(tuple(map(str, range(100))), sizes, rng.random(100), np.full(100, 0.5))
    found = slices_of(facts)
    by = {
        name: [each for each in found if each.by == name] for name in ("brightness", "contrast", "megapixels", "shape")
    }
    assert [int(each.rows.sum()) for each in by["brightness"]] == [25] * 4
    assert not by["contrast"], "which is the same for all"
    assert sum(int(each.rows.sum()) for each in by["megapixels"]) == 100
    assert {each.name: int(each.rows.sum()) for each in by["shape"]} == {"landscape": 40, "portrait": 30, "square": 30}
    assert not [s for s in slices_of(replace(facts, sizes=sizes[:1].repeat(100, 0))) if s.by in {"shape", "megapixels"}]


def test_a_slice_has_its_accuracy_and_wilsons_interval(made):
    results = read_results(made)
    _, table, _ = draw(next(s for s in REPORT_SECTIONS if s.anchor == "slices"), results).blocks
    counts = {}
    for row in table.rows:
        counts[row["by"]] = counts.get(row["by"], 0) + row["images"]
        assert row["accuracy"] == pytest.approx(1 - row["wrong"] / row["images"])
        assert (row["95_%_from"], row["to"]) == pytest.approx(wilson(row["accuracy"], row["images"]))
    assert counts == dict.fromkeys(("brightness", "contrast", "megapixels", "shape", "class"), results.data.test)
    wrong = {row["slice"]: row["wrong"] for row in table.rows if row["by"] == "class"}
    found = results.winner.predictions
    assert wrong == {
        n: int(((found.labels == i) & (found.predicted != i)).sum()) for i, n in enumerate(results.data.classes)
    }


def test_accuracy_against_latency_is_of_files_and_of_trials(made):
    results = read_results(made)
    files, _, trials, _ = draw(next(s for s in REPORT_SECTIONS if s.anchor == "latency"), results).blocks
    shown = {trace["name"]: (trace["x"], trace["y"]) for trace in files.traces}
    assert shown == {"pytorch": ([1.0], [0.9]), "onnx": ([0.5], [0.9]), "onnx-int8 (recommended)": ([0.25], [0.9])}
    whole, edge, won = trials.traces
    assert len(whole["x"]) == 8, "full-length ones alone"
    points = list(zip(whole["x"], whole["y"], strict=True))
    for x, y in zip(edge["x"], edge["y"], strict=True):
        assert not [p for p in points if p != (x, y) and p[0] <= x and p[1] >= y]
    assert won["text"] == ["trial 0"]


def test_importances_say_at_which_fidelity_they_are(made):
    figure, note = draw(next(s for s in REPORT_SECTIONS if s.anchor == "importance"), read_results(made)).blocks
    assert figure.layout["xaxis"]["title"]["text"] == "share of the variance of the score at epoch 1 of 9"
    assert "validation score at epoch 1 of 9" in note.text
    figure, _ = draw(next(s for s in REPORT_SECTIONS if s.anchor == "coordinates"), read_results(made)).blocks
    assert "score at epoch 1 of 9" in figure.layout["xaxis"]["ticktext"]


@pytest.mark.parametrize("values", [[0.02, 0.03], [1.0], [0.004, 300.0], [0.5, 0.500001]])
def test_a_logarithmic_axis_covers_its_values_and_writes_plain_numbers(values):
    found = log_axis("ms", values)
    low, high = found["range"]
    assert low < np.log10(min(values)) <= np.log10(max(values)) < high
    assert all(
        float(text) == pytest.approx(tick)
        for text, tick in zip(found.get("ticktext", []), found.get("tickvals", []), strict=True)
    )
    assert "tickvals" in found or found["nticks"] > 1


def test_a_board_is_a_page_of_its_own_with_the_reports_table(tmp_path):
    rows = [
        {"trial": 3, "score": 0.123456789, "reason": HOSTILE, "none": None},
        {"trial": 4, "score": 0.5, "reason": "", "none": None},
    ]
    page = to_text(rows, "html")
    assert re.findall(r"<button type=\"button\">([^<]*)</button>", page) == ["trial", "score", "reason", "none"]
    assert 'data-value="0.123456789"' in page, "sorted by the whole number"
    assert HOSTILE not in page
    assert re.findall(r"\w+://[^ <]*", page) == []
    assert "unsafe-eval" not in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page
    assert "Nothing yet." in to_text([], "html")


def test_pictures_are_small_whatever_the_images_are():
    big = np.random.default_rng(0).integers(0, 256, (3, 256, 200), dtype=np.uint8)
    assert Image.open(io.BytesIO(encode_png(big))).size == (75, 96)


def test_the_reliability_diagram_is_the_calibration_error(made):
    results = read_results(made)
    found = results.winner.predictions
    means, rights, counts = accuracy_by_confidence(found)
    error = float((counts * np.abs(means - rights)).sum() / counts.sum())
    assert error == pytest.approx(calibration_error(found.probabilities, found.predicted == found.labels))
    perfect = TestPredictions(np.array([[1.0, 0.0]], np.float32), np.array([0]))
    assert [x.tolist() for x in accuracy_by_confidence(perfect)] == [[1.0], [1.0], [1]]


def test_robustness_is_drawn_as_it_was_measured(made):
    note, figure, table, _method = draw(
        next(s for s in REPORT_SECTIONS if s.anchor == "worse"), read_results(made)
    ).blocks
    assert "loses most by noise at strength 5: 25.00 points" in note.text
    assert [trace["name"] for trace in figure.traces] == list(CORRUPTIONS)
    assert all(trace["x"] == [0, 1, 3, 5] and trace["y"] == [0.9, 0.85, 0.75, 0.65] for trace in figure.traces)
    assert [row["strength 3"] for row in table.rows] == ["75.00% (0.3)"] * len(CORRUPTIONS)


def test_the_model_card_is_a_click_away_where_there_is_one(made, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    link = '<a href="winner/README.md">The model card</a>'
    assert link not in write_report(folder).read_text()
    (folder / "winner" / "README.md").write_text("# made")
    assert link in write_report(folder).read_text()


def test_an_ensemble_shows_what_each_member_was_trained_on(made, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(made, folder)
    for place in (0, 1):
        (folder / "winner" / "members" / str(place)).mkdir(parents=True)
        shutil.copy(folder / "winner" / "augmented.png", folder / "winner" / "members" / str(place))
    results = read_results(folder)
    both = results.finalists[0].model_copy(update={"members": (3, 0)})
    results.__dict__["finalists"] = (both,)
    note, _, other, _ = draw(next(s for s in REPORT_SECTIONS if s.anchor == "augmented"), results).blocks
    assert [note.text[:8], other.text[:8]] == ["Trial 3:", "Trial 0:"], "in the order of its members"
    assert make_answer(results).headline == "The winner is an ensemble: convnet"


def test_of_very_many_classes_those_with_most_errors_are_shown(made):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(60), 5)
    probabilities = np.eye(60)[labels]
    probabilities[labels == 59] = np.eye(60)[7]
    probabilities += 1e-3 * rng.random(probabilities.shape)
    results = read_results(made)
    names = tuple(f"class {i}" for i in range(60))
    results.__dict__["data"] = results.data.model_copy(update={"classes": names})
    results.winner.__dict__["metrics"] = measure_test_metrics(
        probabilities / probabilities.sum(1, keepdims=True), labels, names
    )
    figure, note = confusion(results)
    assert len(figure.traces[0]["z"]) == MAX_CONFUSION_CLASSES
    assert {"class 7", "class 59"} <= set(figure.layout["xaxis"]["ticktext"])
    assert f"The {MAX_CONFUSION_CLASSES} classes with most errors of 60" in note.text


def test_the_timeline_is_what_the_study_has_of_slots(made):
    found = trial_spans(read_results(made))
    assert {span.slot for span in found} == {0, 1}
    assert {span.trial for span in found} == set(range(24))
    assert all(span.end > span.start for span in found)
    assert all(span.slot == span.trial % 2 for span in found)


def test_a_search_of_many_trials_stays_readable_and_says_what_it_leaves_out(digits, tmp_path):
    folder = make_search(tmp_path, digits, trials=700, finished=False)
    page = write_report(folder).read_text()
    assert f"{MAX_LEARNING_CURVES} of 700 curves" in page
    assert "The first 500 of 700 trials" in page
    assert "400 of them are drawn" in page
    assert "300 of them, evenly by number" in page
    assert len(page) - len(get_plotlyjs()) < 1_000_000


def test_tables_align_and_leave_out_what_is_empty():
    table = Table([{"trial": 1234, "score": 1.0, "note": None, "on": True}], decimals={"score": 4})
    assert table.columns == ["trial", "score", "on"]
    assert table.numeric == {"trial", "score"}
    assert [table.show(c, table.rows[0][c]) for c in table.columns] == ["1234", "1.0000", "yes"]


def test_a_report_that_cannot_be_drawn_is_a_warning(made, tmp_path, logged):
    study = load_study(load_spec(made), made)
    write_report_or_warn(tmp_path, study)  # which holds no search
    (line,) = logged
    assert line.startswith("warning: no report (UserError: ")
    write_report_or_warn(made, study)
    assert logged == [line]


def test_the_command_writes_it_and_refuses_what_is_no_search(made, tmp_path):
    def report(folder):
        command = [sys.executable, "-m", "searchspace.report", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    (made / "report.html").unlink(missing_ok=True)
    done = report(made)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"report\.html: \d\.\d MB\n$", done.stdout)
    refused = report(tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "holds no search" in refused.stderr


def test_the_sheet_shows_each_image_and_then_its_versions():
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)
    preprocess = Preprocess(InputSpec(side=8, channels=1, mean=(0.5,), std=(0.5,)))
    config = TrialConfig(augment_strength=0.8)
    shown = augmented_versions(images, config, preprocess, seed=3)
    assert shown.shape == (2, COLUMNS, 8, 8, 1)
    assert np.array_equal(shown[:, 0, :, :, 0], images[:, 0])
    assert all((shown[:, column] != shown[:, 0]).any() for column in range(1, COLUMNS))
    assert np.array_equal(shown, augmented_versions(images, config, preprocess, seed=3))
    assert arrange_images(shown).size == (8 * 9 - 1, 2 * 9 - 1)


def test_a_real_search_leaves_a_report_with_every_section(searched, tmp_path):
    folder, said = searched
    assert "report: results/first/report.html" in said
    assert "warning: no report" not in said
    missing = {
        p.section.anchor: p.missing for p in (draw(s, read_results(folder)) for s in REPORT_SECTIONS) if p.missing
    }
    assert set(missing) <= {"importance", "coordinates"}, missing  # 5 trials may be too few for these two
    found = trial_spans(read_results(folder))
    assert found
    assert {span.slot for span in found} <= {0, 1}
    with (folder / "winner" / "test-predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == read_results(folder).winner.metrics.count
    data = folder.parent.parent / "colours"
    assert all((data / row["path"]).is_file() and row["path"].split("/")[0] == row["label"] for row in rows)
    right = sum(row["label"] == row["prediction"] for row in rows)
    assert right / len(rows) == read_results(folder).winner.metrics.accuracy
    curve = losses(read_results(folder))
    assert all(value > 0 for trace in next(curve).traces for value in trace["y"]), "training losses, too, are recorded"
    (code,) = (block.text for block in make_answer(read_results(folder)).blocks if isinstance(block, Code))
    (tmp_path / "photo.jpg").write_bytes(next(folder.parent.parent.glob("colours/red/*.png")).read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", code.replace('Session("', f'Session("{folder}/')],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    name, probability = done.stdout.split()
    assert name in read_results(folder).data.classes
    assert 1 / 3 <= float(probability) <= 1
