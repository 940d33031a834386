"""Records whose fields are each of the right form, and make no sense together: one line, or a row that says so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchspace.reporting import results
from searchspace.reporting.tables.searches import rank_searches
from tests.helpers.attacks.damage import Damage
from tests.helpers.attacks.damaged_search import COMMANDS, Place
from trainables.common.errors import DamagedError
from trainables.export.model_info import MODEL_INFO
from trainables.export.weights import WEIGHTS, read_classifier
from trainables.metrics.predictions import PREDICTIONS
from trainables.models import pretrained
from trainables.models.tensor_shapes import shapes_of

FASTEST = ("leaderboard", "leaderboard of all", "replay", "cards", "export")
BIG = 1_000_000
"""Numbers of a tensor that counts."""
MANY = [f"class {number}" for number in range(200_000)]
Change = Callable[[Path], None]


def setting(value: Any, *fields: str) -> Change:
    """Sets one field of a record."""

    def apply(path: Path) -> None:
        record = json.loads(path.read_text())
        holder = record
        for field in fields[:-1]:
            holder = holder[field]
        holder[fields[-1]] = value
        path.write_text(json.dumps(record))

    return apply


def classes(names: list[str]) -> Change:
    """The data's classes are others, which nobody counted."""

    def apply(path: Path) -> None:
        setting(names, "data", "classes")(path)
        setting([], "data", "counts")(path)

    return apply


def in_journal(change: Callable[[dict[str, Any]], None]) -> Change:
    """Changes every entry of a journal."""

    def apply(path: Path) -> None:
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        for entry in entries:
            change(entry)
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    return apply


def ancient(entry: dict[str, Any]) -> None:
    if entry.get("datetime_start"):
        entry["datetime_start"] = "0001-01-01T00:00:00+00:00"


def unhashable(entry: dict[str, Any]) -> None:
    if entry.get("param_name") == "width":
        entry["distribution"] = json.dumps(
            {"name": "CategoricalDistribution", "attributes": {"choices": [[1, 2], {"a": 1}, 3]}}
        )


def probabilities(classes: int, kind: Any = np.float32) -> Change:
    """Predictions of another number of classes, or another kind of number."""

    def apply(path: Path) -> None:
        with np.load(path) as found:
            arrays = dict(found)
        count = len(arrays["labels"])
        arrays["probabilities"] = np.full((count, classes), 1 / classes, kind)
        arrays["labels"] = arrays["labels"] % classes
        np.savez(path, **arrays)

    return apply


CASES: dict[str, tuple[str, Change, str, str]] = {
    "nothing is shipped": ("winner/artefacts.json", setting([], "artefacts"), "report", "artefacts: "),
    "recommended is not shipped": ("winner/artefacts.json", setting("pt2", "recommended"), "cards", "recommended: "),
    "year 1": ("study.journal", in_journal(ancient), "leaderboard", "a year from"),
    "choices that are lists": ("study.journal", in_journal(unhashable), "leaderboard", "a choice is a list"),
    "400 digits": ("search.json", setting(10**400, "spec", "max_epochs"), "replay", "max_epochs: "),
    "nothing is corrupted": ("winner/robustness.json", setting([], "corrupted"), "report", "corrupted: "),
    "no class": ("winner/metrics.json", setting([], "classes"), "report", "classes: "),
    "no confusion": ("winner/metrics.json", setting([[1]], "confusion"), "report", "no square of 10 classes"),
    "predictions of fewer classes": (f"winner/{PREDICTIONS}", probabilities(9), "report", "of 9 classes, and "),
    "predictions of more classes": (f"winner/{PREDICTIONS}", probabilities(11), "cards", "of 11 classes, and "),
    "wide numbers": (f"winner/{PREDICTIONS}", probabilities(10, np.longdouble), "report", "probabilities: is "),
    "data of many classes": ("search.json", classes(MANY), "report", "10 classes, and "),
    "a model of more classes": (
        "winner/model.json", classes(MANY[:11]), "cards", "10 classes, and ",
    ),
}  # fmt: skip
"""File, change, the command that found it, and what that says of it."""


@pytest.mark.parametrize("case", CASES)
def test_senseless_records_are_one_line(case, place: Place):
    file, change, command, said = CASES[case]
    change_only = Damage(file, case, change)
    names = dict.fromkeys((*FASTEST, command))
    assert {name: fault for name in names if (fault := place.fault(change_only, name))} == {}
    change(place.folder / file)
    done = COMMANDS[command](place.folder)
    assert done.code == 2
    assert "damaged: " in done.error
    assert said in done.error


def test_weights_are_compared_before_a_network_is_built(whole: Path, tmp_path: Path, monkeypatch):
    for name in (MODEL_INFO, WEIGHTS):
        shutil.copy(whole / "winner" / name, tmp_path / name)
    setting("regnety_2560", "config", "model")(tmp_path / MODEL_INFO)  # 5 GB
    built: list[bool] = []

    def build(name: str) -> Any:
        found = empty_backbone(name)
        built.append(any(weight.device.type != "meta" for weight in found[0].parameters() if weight.numel() > BIG))
        return found

    empty_backbone = pretrained.empty_backbone
    monkeypatch.setattr(pretrained, "empty_backbone", build)
    with pytest.raises(DamagedError, match=r"model\.safetensors': does not fit the model of model\.json"):
        read_classifier(tmp_path)
    assert built == [False]


@pytest.mark.parametrize("name", ["regnety_002", "torchvision/regnet_y_400mf", "vit_tiny_patch16_224", "convnext_atto"])
def test_shapes_are_those_of_the_network(name):
    def build() -> Any:
        return pretrained.empty_backbone(name)[0]

    expected = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    assert shapes_of(build) == expected


@pytest.mark.parametrize("error", [ZeroDivisionError("by nothing\nand more"), MemoryError(), KeyError("x")])
def test_a_search_that_cannot_be_computed_is_one_row(error, place: Place, monkeypatch):
    read = results.read_export_record

    def fail(folder: Path) -> Any:
        if folder.parent.name == "made":
            raise error
        return read(folder)

    monkeypatch.setattr(results, "read_export_record", fail)
    rows = {row["search"]: row for row in rank_searches(place.folder.parent)}
    assert rows["other"]["problem"] == ""
    assert rows["made"]["status"] == "damaged"
    assert f"cannot be read as a search ({type(error).__name__}" in rows["made"]["problem"]
    assert "more" not in rows["made"]["problem"]


def test_a_defect_keeps_its_traceback(place: Place, monkeypatch):
    def fail(_folder: Path) -> Any:
        raise AttributeError("a defect")

    monkeypatch.setattr(results, "read_export_record", fail)
    done = COMMANDS["leaderboard of all"](place.folder)
    assert done.code == 1
    assert "Traceback" in done.error
