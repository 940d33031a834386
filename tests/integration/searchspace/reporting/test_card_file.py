"""The model card: what it says is so, what it shows runs as it stands, and no name breaks it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard as HubCard
from PIL import Image

from searchspace.finals.choose_student import Student, write_student
from searchspace.reporting.model_card.card_file import render, write_card, write_cards_or_warn
from searchspace.reporting.model_card.card_sections import CARD_SECTIONS
from searchspace.reporting.model_card.limitations import describe_limitations
from searchspace.reporting.model_card.metrics_section import describe_confusions
from searchspace.reporting.results import read_classifier_results
from tests.helpers.made_search import make_exported_search
from tests.helpers.repository import ROOT
from trainables.common.licence import Licence
from trainables.config import TrialConfig
from trainables.data.store.store import open_store
from trainables.export.exported_files import read_export_record
from trainables.export.model_info import MODEL_INFO, EnsembleInfo, ModelInfo
from trainables.export.predictor import Predictor
from trainables.export.robustness import read_robustness
from trainables.metrics.metric_registry import METRICS
from trainables.metrics.predictions import PREDICTIONS

WINNER = CARD_SECTIONS["winner"]

HOSTILE = "</table><script>alert(1)</script> | `x` \n---\nlicense: mit # {a: b}, 'é' \u202e\x1b[31m"


@pytest.fixture(scope="module")
def folder(shipped, digits, tmp_path_factory) -> Path:
    """The winner of a made search, which was really trained, tested and exported."""
    return make_exported_search(tmp_path_factory.mktemp("results"), digits, shipped[0])


@pytest.fixture(scope="module")
def card(folder) -> str:
    return write_card(folder).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Cells of each line of a table, the heads of tables too."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_sections_stand_in_their_order(card):
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [part.title for part in WINNER if part.title]
    assert card.split("---\n", 2)[2].lstrip().startswith("# made: the winner\n")


def test_the_answer_is_at_the_top(card, folder):
    metrics = read_classifier_results(folder).metrics
    first = card[card.index("# made") : card.index("\n## ")]
    interval = f"(95 % Wilson interval {metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%})"
    assert f"**Test accuracy: {metrics.accuracy:.2%} {interval}**, on 270 images" in first
    assert "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in first
    assert f"{read_export_record(folder).cost.parameters:,} parameters, trained from scratch" in first


@pytest.fixture(scope="module")
def photo(folder, digits) -> np.ndarray:
    """A photo of a digit, large, oblong and in colour, lying beside the model."""
    image = Image.fromarray(open_store(digits).images[7][0]).resize((90, 90), Image.Resampling.BICUBIC)
    wide = Image.new("RGB", (120, 90))
    wide.paste(image.convert("RGB"), (15, 0))
    wide.save(folder / "photo.jpg", quality=95)
    return np.asarray(Image.open(folder / "photo.jpg")).transpose(2, 0, 1)[None]


def answers(code: str, folder: Path, alone: bool) -> tuple[str, float]:
    """Class and probability that a snippet prints; `alone`, without a module of this project."""
    check = "\nimport sys; assert not [m for m in sys.modules if m.split('.')[0] in ('searchspace', 'trainables')]"
    done = subprocess.run(
        [sys.executable, *(["-I"] if alone else []), "-c", code + (check if alone else "")],
        capture_output=True, text=True, check=False, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name, probability = done.stdout.split()
    return name, float(probability)


def test_every_snippet_runs_as_it_stands_and_says_the_same(card, folder, photo):
    onnx, program, weights = blocks(section(card, "How to use it"), "python")
    best = read_export_record(folder).fastest_onnx.file
    (other,) = {"model.onnx", "model-int8.onnx"} - {best}
    assert f"; `{other}` runs the same way:" in card
    assert max(len(code.splitlines()) for code in (onnx, program, weights)) <= 26, "short enough to be read"
    expected = {}
    for file in (best, other):
        found = Predictor(folder / file).probabilities(photo)[0]
        expected[file] = str(found.argmax()), pytest.approx(float(found.max()), abs=1e-4)
    assert answers(onnx, folder, alone=True) == expected[best]
    assert answers(onnx.replace(best, other), folder, alone=True) == expected[other]
    assert answers(program, folder, alone=True) == expected["model.onnx"]
    assert answers(weights, folder, alone=False) == expected["model.onnx"]


def test_its_commands_run_as_they_stand(card, folder, photo):
    (commands,) = blocks(section(card, "How to use it"), "bash")
    predict, serve = commands.splitlines()
    done = subprocess.run(
        [sys.executable, "-m", *predict.split()],
        capture_output=True, text=True, check=False, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    best = read_export_record(folder).fastest_onnx.file
    assert done.stdout.split()[:2] == ["photo.jpg:", str(Predictor(folder / best).probabilities(photo)[0].argmax())]
    assert serve == f"searchspace serve {best}"


def test_it_says_how_the_datas_own_pixels_became_what_it_takes(card, folder, digits, tmp_path):
    """What the card and the file say is what was done: scikit-learn's images, so scaled, are those of the store."""
    from sklearn.datasets import load_digits

    (formula,) = re.findall(r"`(numpy\.rint\(.*?)`", section(card, "How to use it"))
    said = Predictor(folder / "model.onnx").metadata["pixels"]
    assert said.startswith("uint8, 0 (black) to 255 (white); scikit-learn's digits have pixels from 0 to 16")
    assert formula in said
    images = eval(formula, {"numpy": np, "images": load_digits().images})
    stored = open_store(digits).images
    own = changed(folder, tmp_path / "own", data=digits.model_copy(update={"origin": "a/folder"}))
    assert set(map(bytes, np.asarray(stored[:, 0]))) <= set(map(bytes, images))
    assert "Pixels of the data itself" not in write_card(own).read_text()


def test_the_front_matter_is_what_the_hub_takes(card, folder):
    hub = HubCard(card)
    metrics = read_classifier_results(folder).metrics
    assert (hub.data.license, hub.data.license_name) == ("other", "trained-from-scratch")
    assert (hub.data.library_name, hub.data.pipeline_tag) == ("onnx", "image-classification")
    assert (hub.data.datasets, hub.data.model_name) == (["digits"], "made")
    found = {result.metric_type: result for result in hub.data.eval_results}
    types = {metric.hub_type or name for name, metric in METRICS.items()}
    assert set(found) == {*types, "precision", "calibration_error"}
    assert {"accuracy", "recall", "f1", "matthews_correlation", "log_loss"} == types
    assert {(result.task_type, result.dataset_type, result.dataset_split) for result in found.values()} == {
        ("image-classification", "digits", "test"),
    }  # fmt: skip
    assert found["accuracy"].metric_value == round(metrics.accuracy, 4)
    ends = [round(metrics.accuracy_low, 4), round(metrics.accuracy_high, 4)]
    assert found["accuracy"].metric_args == {"interval_95": ends, "interval_method": "Wilson"}


def changed(folder: Path, place: Path, **card) -> Path:
    """A copy of the winner whose card has been changed."""
    shutil.copytree(folder.parent, place)
    known = ModelInfo.model_validate_json((folder / MODEL_INFO).read_text())
    (place / "winner" / MODEL_INFO).write_text(known.model_copy(update=card).model_dump_json())
    return place / "winner"


def test_no_name_breaks_it(folder, digits, tmp_path):
    names = (HOSTILE, "| a |", "*b*", "```", *digits.classes[4:])
    other = changed(folder, tmp_path / "made", data=digits.model_copy(update={"name": HOSTILE, "classes": names}))
    metrics = json.loads((other / "metrics.json").read_text())
    for entry, name in zip(metrics["classes"], names, strict=True):
        entry["name"] = name
    metrics["confusion"][0][1] += 3
    (other / "metrics.json").write_text(json.dumps(metrics))
    text = write_card(other).read_text(encoding="utf-8")
    assert "<script>" not in text.split("---\n", 2)[2]
    assert "\x1b" not in text
    assert front(text)["datasets"] == HubCard(text).data.datasets
    assert front(text)["datasets"][0].startswith("</table><script>alert(1)</script> | `x` \\n---\\nlicense: mit")
    assert front(text)["license"] == "other"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [part.title for part in WINNER if part.title]
    for title in ("Test", "What it confuses"):
        for table in re.split(r"\n\n", section(text, title)):
            assert len({len(cells) for cells in rows(table)}) <= 1, table


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("apache-2.0", {"license": "apache-2.0"}),
        ("unknown", {"license": "unknown"}),
        ("dinov3-license", {"license": "other", "license_name": "dinov3-license"}),
    ],
)
def test_the_licence_is_that_of_the_weights(folder, tmp_path, licence, said):
    begun = Licence(id=licence, terms="begun with the weights of another")
    text = write_card(changed(folder, tmp_path / "made", licence=begun)).read_text()
    assert {key: value for key, value in front(text).items() if key.startswith("license")} == said
    assert f"- Weights, `{licence}`: begun with the weights of another." in text
    assert "- Data, `cc-by-4.0`: UCI's" in text


def test_artefacts_are_told_with_proof_cost_and_what_was_dropped(card, folder, tmp_path):
    shipment = read_export_record(folder)
    proven, costs = (rows(part) for part in section(card, "What is shipped").split("\n\n")[1:3])
    assert [cells[0].strip() for cells in proven[2:]] == [artefact.format for artefact in shipment.artefacts]
    assert [cells[0].strip() for cells in costs[2:]] == [artefact.format for artefact in shipment.artefacts]
    assert f"Recommended is **{shipment.recommended}**" in card
    shutil.copytree(folder.parent, tmp_path / "made")
    made = json.loads((folder / "artefacts.json").read_text())
    made["artefacts"] = made["artefacts"][:1]
    made |= {"recommended": "pytorch", "dropped": [{"format": "onnx-int8", "reason": "loses 1.00 points"}]}
    (tmp_path / "made" / "winner" / "artefacts.json").write_text(json.dumps(made))
    text = write_card(tmp_path / "made" / "winner").read_text()
    assert "No exported format passed its proof." in text
    assert "- **onnx-int8** is not shipped: loses 1.00 points." in text
    assert len(blocks(section(text, "How to use it"), "python")) == 1, "the weights themselves"
    assert front(text)["library_name"] == "pytorch"


def test_what_is_not_there_is_left_out(folder, tmp_path):
    shutil.copytree(folder.parent, tmp_path / "made")
    for name in ("artefacts.json", "robustness.json", PREDICTIONS):
        (tmp_path / "made" / "winner" / name).unlink()
    text = write_card(tmp_path / "made" / "winner").read_text()
    titles = {part.title for part in WINNER} - set(re.findall(r"^## (.*)$", text, re.MULTILINE))
    assert titles == {"", "What is shipped", "Calibration", "Robustness"}
    assert "It is not exported: `searchspace export" in text


def test_confusions_are_counted_the_most_frequent_first(card, folder):
    facts = read_classifier_results(folder)
    matrix = np.array(facts.metrics.confusion)
    wrong = int(matrix.sum() - np.trace(matrix))
    told = rows(section(card, "What it confuses"))[2:]
    counts = [int(cells[2]) for cells in told]
    assert wrong > 0
    assert f"{wrong} of 270 test images were wrong." in card
    assert counts == sorted(counts, reverse=True)
    for true, called, count, _share in told:
        assert matrix[int(true), int(called)] == int(count)
    perfect = facts.metrics.model_copy(update={"confusion": tuple(map(tuple, np.diag([27] * 10).tolist()))})
    facts.__dict__["metrics"] = perfect
    assert describe_confusions(facts) == "No test image of 270 was wrong."


def test_calibration_has_every_image_in_a_bin(card, folder):
    facts = read_classifier_results(folder)
    told = rows(section(card, "Calibration"))[2:]
    assert sum(int(cells[2]) for cells in told) == 270
    gap = 100 * (facts.predictions.confidence.mean() - facts.metrics.accuracy)
    assert f"{'over' if gap > 0 else 'under'}confident by {abs(gap):.2f} points" in card
    assert f"is {facts.metrics.calibration_error:.4f}" in section(card, "Calibration")


def test_robustness_is_a_line_a_corruption(card, folder):
    found = read_robustness(folder)
    told = rows(section(card, "Robustness"))
    assert [cells[0].strip() for cells in told[2:]] == ["noise", "blur", "brightness", "jpeg"]
    last = found.by_corruption()["blur"][-1]
    assert told[3][3].strip() == f"{last.accuracy:.2%} ({last.parameter:g})"


def test_limits_are_those_of_this_model(folder, digits, tmp_path):
    data = digits.model_copy(update={"leaked": 5, "counts": (10, *digits.counts[1:])})
    other = changed(folder, tmp_path / "made", data=data)
    (tmp_path / "made" / "winner-1").mkdir()
    said = describe_limitations(read_classifier_results(other))
    whole, integer = (read_export_record(folder).find(name).proof.accuracy for name in ("pytorch", "onnx-int8"))
    change = f"{100 * abs(whole - integer):.2f} points" if whole != integer else "as accurate"
    for part in (
        "It knows 10 classes and nothing else", "It sees 8 x 8 pixels", "it sees no colour",
        "270 test images leave its accuracy uncertain by", "Classes of fewer than 30 test images", "0 (27)",
        "5 validation or test images also occur in another split",
        "1 earlier winner of this search opened the test split",
        "Its classes are unbalanced, 10 to 132 training images", "As onnx-int8 it is not the same model to the digit: "
        + change,
    ):  # fmt: skip
        assert part in said, part
    assert "unbalanced" not in describe_limitations(read_classifier_results(folder))
    assert "another split" not in describe_limitations(read_classifier_results(folder))


def test_an_ensemble_has_every_members_configuration(folder, tmp_path):
    known = ModelInfo.model_validate_json((folder / MODEL_INFO).read_text())
    config = TrialConfig(model="resnet18", lr=0.123, freeze="all")
    second = known.model_copy(update={"config": config, "seed": 9})
    shutil.copytree(folder.parent, tmp_path / "made")
    (tmp_path / "made" / "winner" / MODEL_INFO).write_text(EnsembleInfo(members=(known, second)).model_dump_json())
    text = write_card(tmp_path / "made" / "winner").read_text()
    assert "2 networks whose probabilities are averaged (convnet, resnet18)" in text
    assert "trained from scratch and with a new head on weights that others had trained" in text
    assert "It began with weights that were trained on other images" in text
    configurations = [json.loads(block) for block in blocks(section(text, "Configuration"), "json")]
    assert configurations == [known.config.model_dump(), second.config.model_dump()]


def test_a_student_has_a_card_of_its_own_and_the_winners_tells_of_it(folder, tmp_path):
    search = tmp_path / "made"
    shutil.copytree(folder.parent, search)
    shutil.copytree(folder, search / "student")
    config = read_classifier_results(folder).info.members[0].config
    write_student(search, Student(
        trial=3, config=config, cost=None, limits={"max_params": 20_000}, teacher="trial 0", temperature=1.0, seed=5,
        epochs=9, status="trained",
    ))  # fmt: skip
    text = write_card(search / "student").read_text()
    assert text == render(read_classifier_results(search / "student"))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        part.title for part in CARD_SECTIONS["student"] if part.title
    ]
    assert "# made: the student" in text
    taught = section(text, "How it was taught")
    assert "3 was the best that keeps the limits (`--max-params 20000`)" in taught
    assert "trained for 9 epochs" in taught
    assert [cells[0].strip() for cells in rows(taught)[2:]] == ["winner", "student"]
    assert "[`../student`](../student/README.md)" in section(
        write_card(search / "winner").read_text(), "What is shipped"
    )


def test_a_card_that_cannot_be_written_is_a_warning(folder, tmp_path, logged):
    write_cards_or_warn(folder.parent)
    assert logged == []
    shutil.copytree(folder.parent, tmp_path / "made")
    (tmp_path / "made" / "winner" / MODEL_INFO).unlink()
    write_cards_or_warn(tmp_path / "made")
    (line,) = logged
    assert line.startswith("warning: no new model card in winner/ (FileNotFoundError: ")


def test_a_real_search_ends_with_its_card(searched):
    folder, said = searched
    assert "model card: results/first/winner/README.md" in said
    assert "warning: no new model card" not in said
    text = (folder / "winner" / "README.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [part.title for part in WINNER if part.title]
    hub = HubCard(text)
    tested = json.loads((folder / "winner" / "metrics.json").read_text())
    assert {r.metric_type: r.metric_value for r in hub.data.eval_results}["f1"] == round(tested["f1_macro"], 4)
    assert re.search(r"wall clock \| preparation by .+, search by .+, total by ", text)
    assert "- Data, `unknown`: images given by path" in text
