"""Labels of tables of images in every form that hubs have them, and the forms that are refused."""

import re
import shlex

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.images.embedded_tables import ROWS, table, write_table
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

HALF = ROWS // 2
TEXTS = ["cat", "dog"] * HALF
NAMED = {"label": {"_type": "ClassLabel", "names": ["no", "maybe", "yes"]}}

READ = {
    "text": (pa.array(TEXTS), None, ["cat", "dog"]),
    "large text": (pa.array(TEXTS, pa.large_string()), None, ["cat", "dog"]),
    "text view": (pa.array(TEXTS, pa.string_view()), None, ["cat", "dog"]),
    "dictionary": (pa.array(TEXTS).dictionary_encode(), None, ["cat", "dog"]),
    "dictionary of numbers": (pa.array([5, 7] * HALF).dictionary_encode(), None, ["5", "7"]),
    "bool": (pa.array([False, True] * HALF), None, ["False", "True"]),
    "from 0": (pa.array([0, 1] * HALF, pa.uint8()), None, ["0", "1"]),
    "from 1": (pa.array([1, 2] * HALF), None, ["1", "2"]),
    "with gaps": (pa.array([2, 10] * HALF), None, ["2", "10"]),
    "signs": (pa.array([-1, 1] * HALF), None, ["-1", "1"]),
    "whole floats": (pa.array([1.0, 3.0] * HALF), None, ["1", "3"]),
    "lists of one": (pa.array([["cat"], ["dog"]] * HALF), None, ["cat", "dog"]),
    "fixed lists of one": (pa.array([[3], [4]] * HALF, pa.list_(pa.int64(), 1)), None, ["3", "4"]),
    "named": (pa.array([0, 2] * HALF), NAMED, ["no", "yes"]),
}


@pytest.mark.parametrize("form", READ)
def test_labels_are_read_in_any_form(tmp_path, form):
    values, features, classes = READ[form]
    write_table(tmp_path / "train.parquet", table(features=features, label=values))
    raw = open_source(str(tmp_path))
    assert list(raw.classes) == classes
    assert raw.parts["train"].labels.tolist() == [0, 1] * HALF
    assert raw.parts["train"].decode(5).ravel()[0] == 5


def test_a_name_without_any_image_is_left_out_and_said(tmp_path):
    write_table(tmp_path / "train.parquet", table(features=NAMED, label=[0, 2] * HALF))
    (said,) = open_source(str(tmp_path)).layout.warnings
    assert said == "no image of 1 of 3 classes in the metadata, such as 'maybe'"
    write_table(tmp_path / "test.parquet", table(rows=1, features=NAMED, label=[1]))
    with pytest.raises(UserError, match="class 'maybe' has no training image"):
        open_source(str(tmp_path))


def test_classes_that_differ_in_case_or_spaces_alone_are_said(tmp_path):
    write_table(tmp_path / "train.parquet", table(label=["cat", "Cat ", "dog"] * (ROWS // 3)))
    (said,) = open_source(str(tmp_path)).layout.warnings
    assert "'Cat ', 'cat' differ in case or spaces alone" in said


REFUSED = {
    "measurements": ([0.5, 1.5] * HALF, "measurements, not classes"),
    "several labels": ([["cat", "dog"], ["cat"]] * HALF, "holds 2 labels in row 0"),
    "no label": (pa.array([None] * ROWS, pa.int64()), "has no label in train"),
    "some labels": (
        [*TEXTS[:-1], None],
        "1 of 24 rows of train have no label in column 'label', the first of them row",
    ),
    "marked rows": (
        [0, 1, 2, -1] * (HALF // 2),
        "6 of 24 rows of train have no label in column 'label' (empty, or -1)",
    ),
    "structs": ([{"a": 1}] * ROWS, "needs a label column"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_label_is_refused(tmp_path, form):
    values, said = REFUSED[form]
    write_table(tmp_path / "train.parquet", table(label=values))
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_and_truth_values_of_other_splits_are_those_of_train(tmp_path):
    write_table(tmp_path / "train.parquet", table(label=[2, 10] * HALF))
    write_table(tmp_path / "test.parquet", table(rows=2, label=[10.0, 2.0]))
    assert open_source(str(tmp_path)).parts["test"].labels.tolist() == [1, 0]
    write_table(tmp_path / "test.parquet", table(rows=2, label=[10, 3]))
    with pytest.raises(UserError, match="no image of train has the label '3' of test"):
        open_source(str(tmp_path))


NONE = {"null": [None, None], "-1": [-1, -1], "floats": pa.array([None, float("nan")], pa.float64())}


@pytest.mark.parametrize("empty", NONE)
def test_a_split_without_labels_is_left_out(tmp_path, empty):
    write_table(tmp_path / "train.parquet", table(label=[1, 2] * HALF))
    write_table(tmp_path / "test.parquet", table(rows=2, label=NONE[empty]))
    raw = open_source(str(tmp_path))
    assert list(raw.parts) == ["train"]
    assert [found.reason for found in raw.layout.left_out] == ["unlabelled split"]


def test_files_with_labels_of_two_kinds_are_named(tmp_path):
    write_table(tmp_path / "train-0-of-2.parquet", table(label=[0, 1] * HALF))
    write_table(tmp_path / "train-1-of-2.parquet", table(label=TEXTS))
    with pytest.raises(UserError, match=r"whole numbers in '.*train-0-of-2\.parquet', and text in '.*train-1-of-2"):
        open_source(str(tmp_path))


QUESTIONS = {
    "labels": {"category": TEXTS, "class": [0, 1] * HALF},
    "images": {"picture": [b""] * ROWS, "label": TEXTS},
    "mask": {"label": TEXTS},
    "ids": {"serial": list(range(ROWS)), "sort": TEXTS},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_option_that_a_question_gives_answers_it(tmp_path, question):
    made = table(**QUESTIONS[question])
    if question == "mask":
        made = made.rename_columns(["mask", "label"])
    if question == "images":
        made = made.append_column("view", made["image"]).rename_columns(["front", "picture", "label", "back side"])
    write_table(tmp_path / "train.parquet", made)
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path))
    flag, column = shlex.split(re.search(r"--(?:image|label)-column.*", str(error.value))[0] + " sort")[:2]
    raw = open_source(str(tmp_path), DataOptions(**{flag[2:].replace("-", "_"): column.strip(";")}))
    assert len(raw.classes) == 2


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"label_column": "labl"}, "--label-column 'labl': no such column; there are 'image', 'label', 'number'; did"),
        ({"image_column": "nothing"}, "--image-column 'nothing': no such column"),
        ({"image_column": "number"}, "--image-column 'number' holds int64, not images; they are a struct with `bytes`"),
        ({"split_column": "x"}, "--split-column 'x': no such column"),
        ({"group_column": "x"}, "--group-column 'x': no such column"),
        ({"weight_column": "x"}, "--weight-column 'x': no such column"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_column_that_is_none_is_refused_with_those_that_are(tmp_path, option, said):
    write_table(tmp_path / "train.parquet", table(label=TEXTS, number=list(range(ROWS))))
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path), DataOptions(**option))
    assert said in str(error.value)


def test_a_label_column_may_have_any_name_that_is_given(tmp_path):
    write_table(tmp_path / "train.parquet", table(label=TEXTS, fold=[1, 2, 3, 4] * (ROWS // 4)))
    raw = open_source(str(tmp_path), DataOptions(label_column="fold"))
    assert raw.classes == ("1", "2", "3", "4")
    assert np.bincount(raw.parts["train"].labels).tolist() == [6] * 4
