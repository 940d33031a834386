"""Tables of image files: what is read, and what is refused with a remedy."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.helpers.images.data_sets import image
from tests.helpers.images.labelled_tables import image_names, labels_of, make_images, read_back, write_csv_table
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.image_table import open_table
from trainables.data.sources.source_registry import open_source

NAMES = image_names()
LABELS = labels_of(NAMES)


@pytest.fixture
def folder(tmp_path):
    make_images(tmp_path / "data", NAMES)
    return tmp_path / "data"


def open_text(folder, text, name="labels.csv", encoding="utf-8", **options):
    (folder / name).write_bytes(text.encode(encoding))
    return open_source(str(folder / name), DataOptions(**options))


def refusal(folder, text, name="labels.csv", encoding="utf-8", **options):
    with pytest.raises(UserError) as error:
        open_text(folder, text, name, encoding, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def rows(labels=LABELS, header="image,label", separator=","):
    return "".join(f"{separator.join(row)}\n" for row in [header.split(","), *labels.items()])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_text_of_any_encoding_and_separator(folder, encoding, separator):
    raw = open_text(folder, rows(separator=separator), encoding=encoding)
    assert read_back(raw) == {"train": LABELS}
    assert raw.classes == ("cat", "dog")
    assert raw.layout.columns == {"image": "image", "label": "label"}
    assert raw.layout.sources == {"train": "labels.csv"}


@pytest.mark.parametrize(
    "text",
    [
        rows().replace("\n", "\r\n"),
        rows().replace("\n", " \r"),
        rows().replace(",", " , "),
        rows().replace(",", '","').replace("\n", '"\n"').join(['"', ""]).removesuffix('"'),
        rows().replace("\n", "\n\n"),
        rows().replace("\n", ",\n"),
        "".join(f"{place - 1 if place else ''},{line}\n" for place, line in enumerate(rows().splitlines())),
    ],
    ids=["crlf", "cr and spaces", "spaces", "quoted", "blank lines", "a trailing separator", "pandas' index"],
)
def test_usual_forms_of_csv(folder, text):
    assert read_back(open_text(folder, text)) == {"train": LABELS}


def test_other_formats(folder):
    lines = "".join(json.dumps({"image": name, "label": label}) + "\n" for name, label in LABELS.items())
    assert read_back(open_text(folder, lines, "labels.jsonl")) == {"train": LABELS}
    assert read_back(open_text(folder, rows(separator="\t"), "labels.tsv")) == {"train": LABELS}
    pd.DataFrame({"image": LABELS.keys(), "label": pd.Categorical(list(LABELS.values()))}).to_parquet(
        folder / "labels.parquet"
    )
    assert read_back(open_source(str(folder / "labels.parquet"))) == {"train": LABELS}


def test_ids_without_suffix_keep_their_zeros_and_are_found_below_the_folder(tmp_path):
    make_images(tmp_path / "images" / "a", NAMES[:4])
    make_images(tmp_path / "images" / "b", NAMES[4:])
    ids = {name.removesuffix(".png"): label for name, label in LABELS.items()}
    raw = open_text(tmp_path, rows(ids, "id,breed"))
    found = read_back(raw)["train"]
    assert {path.rpartition("/")[2]: label for path, label in found.items()} == LABELS
    assert "images/b/005.png" in found


def test_paths_with_backslashes_absolute_paths_and_a_root(tmp_path):
    make_images(tmp_path / "set" / "img", NAMES)
    windows = {f"img\\{name}": label for name, label in LABELS.items()}
    expected = {f"img/{name}": label for name, label in LABELS.items()}
    assert read_back(open_text(tmp_path / "set", rows(windows))) == {"train": expected}
    absolute = {str(tmp_path / "set" / "img" / name): label for name, label in LABELS.items()}
    assert read_back(open_text(tmp_path / "set", rows(absolute))) == {"train": expected}
    (tmp_path / "labels").mkdir()
    raw = open_text(tmp_path / "labels", rows(), root=str(tmp_path / "set" / "img"))
    assert read_back(raw) == {"train": LABELS}


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["10", "9"], ("9", "10")),
        (["1.0", "0.0"], ("0", "1")),
        (["True", "False"], ("False", "True")),
        (["café", "naïve"], ("café", "naïve")),
    ],
    ids=["numbers", "decimals", "truth values", "accents"],
)
def test_labels_of_any_type(folder, written, classes):
    labels = {name: written[place % 2] for place, name in enumerate(NAMES)}
    assert open_text(folder, rows(labels)).classes == classes


def test_splits_by_a_column_and_unlabelled_rows(folder):
    kinds = ["Training", "Training", "Training", "Training", "valid", "valid", "test", "test"]
    labels = [*list(LABELS.values())[:6], "", ""]
    text = "file,kind,class\n" + "".join(f"{row}\n" for row in map(",".join, zip(NAMES, kinds, labels, strict=True)))
    raw = open_text(folder, text, split_column="kind")
    assert read_back(raw) == {
        "train": dict(list(LABELS.items())[:4]), "val": dict(list(LABELS.items())[4:6]),
    }  # fmt: skip
    assert raw.layout.sources == {"train": "labels.csv, column 'kind'", "val": "labels.csv, column 'kind'"}
    assert [left.reason for left in raw.layout.left_out] == ["unlabelled split"] * 2
    named = open_text(folder, text.replace("kind", "split"))
    assert read_back(named) == read_back(raw)


def test_splits_by_the_folders_of_the_images(tmp_path):
    make_images(tmp_path / "train", NAMES[:6])
    make_images(tmp_path / "test", NAMES[6:])
    labels = {f"{'train' if name in NAMES[:6] else 'test'}/{name}": label for name, label in LABELS.items()}
    raw = open_text(tmp_path, rows(labels))
    assert {split: len(found) for split, found in read_back(raw).items()} == {"train": 6, "test": 2}


def test_groups_and_weights(folder):
    text = "image,label,patient,w\n" + "".join(
        f"{name},{label},p{place // 3},{place}\n" for place, (name, label) in enumerate(LABELS.items())
    )
    part = open_text(folder, text, group_column="patient", weight_column="w").parts["train"]
    assert part.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert part.weights.tolist() == list(range(8))
    assert part.weights.dtype == np.float32


def test_one_hot_labels(folder):
    text = "image_id,healthy,rust,target_spot\n" + "".join(
        f"{name.removesuffix('.png')},{','.join('1' if i == place % 3 else '0' for i in range(3))}\n"
        for place, name in enumerate(NAMES)
    )
    raw = open_text(folder, text)
    assert raw.classes == ("healthy", "rust", "target_spot")
    assert list(read_back(raw)["train"].values())[:3] == ["healthy", "rust", "target_spot"]
    assert "row 2 has 2 ones" in refusal(folder, text.replace("002,0,1,0", "002,1,1,0").replace("target_spot", "spot"))


def test_of_two_columns_that_say_the_same_the_one_with_words_names_the_classes(folder):
    text = "image,label,label_name\n" + "".join(
        f"{name},{int(label == 'dog')},{label}\n" for name, label in LABELS.items()
    )
    assert open_text(folder, text).classes == ("cat", "dog")


def test_duplicate_rows_count_once(folder):
    raw = open_text(folder, rows() + "001.png,cat\n")
    assert read_back(raw) == {"train": LABELS}
    assert "1 rows name an image again" in raw.layout.warnings[0]


def test_images_that_no_row_names_are_left_out(folder):
    raw = open_text(folder, rows({name: label for name, label in LABELS.items() if name != "008.png"}))
    assert [(left.path, left.reason) for left in raw.layout.left_out] == [(str(folder / "008.png"), "no row")]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (rows(header="001.png,cat"), {}, "has no header, its first line names the image '001.png'"),
        ("", {}, "is empty"),
        ("image,label\n", {}, "has no rows"),
        (rows() + "008.png\n", {}, "line 10 has 1 fields, the header 2"),
        (rows() + "009.png,cat\n", {}, "1 of 9 rows name files that are not there, the first '009.png' in row 9"),
        (rows() + "../../x.png,cat\n", {}, "--root FOLDER|as --root"),
        (rows() + "https://example.org/a.png,cat\n", {}, "a URL that is not downloaded"),
        (rows() + ",cat\n", {}, "row 9 names no image"),
        (rows().replace("003.png,cat", "003.png,"), {}, "1 of 8 rows have no label in column 'label'"),
        (rows() + "001.png,dog\n", {}, "has two labels, 'cat' and 'dog'"),
        (rows(), {"label_column": "lable"}, "did you mean 'label'"),
        (rows().replace("image,label", "x,y1"), {"image_column": "image"}, "--image-column is one of 'x', 'y1'"),
        (rows(header="image,image"), {}, "several columns are named 'image'"),
        ("image label\n001.png cat\n", {}, "has no columns separated by comma, semicolon or tab"),
        (rows({name: name for name in NAMES}), {}, "so it holds no classes"),
        (rows(), {"root": "/nowhere"}, "--root '/nowhere' is no folder"),
        ("image,label,w\n" + "".join(f"{name},{label},-1\n" for name, label in LABELS.items()), {"weight_column": "w"},
         "weight column 'w' has '-1' in row 1"),
        ("image,label,species,breed\n" + "".join(f"{n},1,2,3\n" for n in NAMES), {}, "has only one|only one class"),
    ],
)  # fmt: skip
def test_what_is_not_sure_is_refused_with_a_remedy(folder, text, options, said):
    assert any(part in refusal(folder, text, **options) for part in said.split("|"))


def test_a_question_lists_the_candidates(folder):
    text = "image,dx,sex,age\n" + "".join(
        f"{name},{label},{'mf'[place // 4]},{place % 2}\n" for place, (name, label) in enumerate(LABELS.items())
    )
    said = refusal(folder, text)
    assert "--label-column dx or --label-column sex or --label-column age" in said
    assert open_text(folder, text, label_column="dx").classes == ("cat", "dog")


def test_latin_1_is_refused_with_a_command_that_converts_it(folder):
    labels = {name: ("café", "dog")[place % 2] for place, name in enumerate(NAMES)}
    said = refusal(folder, rows(labels), encoding="latin-1")
    assert "is not UTF-8 at byte" in said
    assert "iconv -f latin1 -t utf-8" in said


def test_missing_files_are_skipped_and_listed_where_that_is_asked_for(folder):
    raw = open_text(folder, rows() + "009.png,cat\n", on_bad_image="skip")
    assert read_back(raw) == {"train": LABELS}
    assert [(bad.name, bad.reason) for bad in raw.bad_images] == [(str(folder / "009.png"), "there is no such file")]


def test_an_id_of_several_files_is_refused(tmp_path):
    make_images(tmp_path / "big", NAMES)
    make_images(tmp_path / "small", NAMES)
    said = refusal(tmp_path, rows())
    assert "may be 'big/001.png', 'small/001.png'" in said
    assert f"--root {str(tmp_path / 'big')!r}" in said
    assert read_back(open_text(tmp_path, rows(), root=str(tmp_path / "big"))) == {"train": LABELS}


def test_links_out_of_the_folder(tmp_path):
    outside = image(tmp_path / "outside" / "x.png", 1)
    make_images(tmp_path / "data", NAMES[:-1])
    (tmp_path / "data" / "008.png").symlink_to(outside)
    assert "--follow-links allows that" in refusal(tmp_path / "data", rows())
    assert read_back(open_text(tmp_path / "data", rows(), follow_links=True)) == {"train": LABELS}


def test_a_table_of_pixels_is_refused_with_what_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 64))
    frame = pd.DataFrame(pixels, columns=[f"pixel{i}" for i in range(64)])
    frame.insert(0, "label", [i % 2 for i in range(20)])
    frame.to_csv("FILE", index=False)
    frame.to_csv("digits.csv", index=False)
    with pytest.raises(UserError, match="are pixels") as error:
        open_source("digits.csv")
    exec(str(error.value).partition("save it as arrays: ")[2])  # the advice is the program
    raw = open_source("data.npz")
    assert (raw.classes, raw.height, raw.width) == (("0", "1"), 8, 8)
    assert np.array_equal(raw.parts["train"].decode(3)[..., 0], pixels[3].reshape(8, 8))


def test_a_data_frame(folder):
    frame = pd.DataFrame({"path": [str(folder / name) for name in NAMES], "target": [0.0, 1.0] * 4})
    frame["extra"] = pd.array([1, None] * 4, dtype="Int64")
    raw = open_table(frame, DataOptions(), "the data frame")
    assert raw.classes == ("0", "1")
    with pytest.raises(UserError, match="the data frame: has no rows"):
        open_table(frame[:0], DataOptions(), "the data frame")


def test_the_identity_changes_with_labels_alone(folder):
    first = open_text(folder, rows()).identity
    assert open_text(folder, rows()).identity == first
    swapped = {name: {"cat": "dog", "dog": "cat"}[label] for name, label in LABELS.items()}
    assert open_text(folder, rows(swapped)).identity != first


def test_header_less_ids_are_noticed(tmp_path):
    make_images(tmp_path, NAMES)
    write_csv_table(
        tmp_path / "labels.csv", {name.removesuffix(".png"): label for name, label in LABELS.items()}, "001,cat"
    )
    with pytest.raises(UserError, match="has no header"):
        open_source(str(tmp_path / "labels.csv"))
