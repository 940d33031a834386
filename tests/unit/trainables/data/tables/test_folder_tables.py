"""Folders whose images are labelled by a table: Kaggle's, Hugging Face's, and those that stay class folders."""

import pytest

from tests.helpers.images.labelled_tables import image_names, labels_of, make_images, read_back, write_csv_table
from trainables.common.errors import UserError
from trainables.data.sources.source_registry import open_source

NAMES = image_names()
LABELS = labels_of(NAMES)
IDS = {name.removesuffix(".png"): label for name, label in LABELS.items()}


def classes_by_name(raw):
    """Of each split, the class of each image by its file name."""
    return {
        split: {path.rpartition("/")[2]: label for path, label in found.items()}
        for split, found in read_back(raw).items()
    }


def refusal(folder):
    with pytest.raises(UserError) as error:
        open_source(str(folder))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffixes", [True, False], ids=["with suffixes", "without suffixes"])
@pytest.mark.parametrize("images", ["train", "train_images", "images", "train/train", ".", "Images"])
@pytest.mark.parametrize("name", ["train.csv", "labels.csv", "trainLabels.csv", "train_labels.csv"])
def test_kaggles_folders(tmp_path, name, images, suffixes):
    make_images(tmp_path / images, NAMES)
    make_images(tmp_path / "test_images", image_names(2) if name != "labels.csv" else ["t1.png", "t2.png"])
    write_csv_table(tmp_path / name, LABELS if suffixes else IDS, "image_id,label")
    write_csv_table(tmp_path / "test.csv", {"001": "1"}, "image_id,attempt")
    write_csv_table(tmp_path / "sample_submission.csv", {"001": "cat", "002": "cat"}, "image_id,label")
    raw = open_source(str(tmp_path))
    assert classes_by_name(raw) == {"train": LABELS}
    assert raw.layout.sources == {"train": name}
    reasons = {left.path: left.reason for left in raw.layout.left_out if "test_images" in left.path}
    assert len(reasons) == 2
    assert set(reasons.values()) <= {"no row", "unlabelled split"}


def test_a_labelled_test_table_is_the_test_split(tmp_path):
    make_images(tmp_path / "images", NAMES)
    write_csv_table(tmp_path / "train.csv", dict(list(LABELS.items())[:6]))
    write_csv_table(tmp_path / "test.csv", dict(list(LABELS.items())[6:]))
    raw = open_source(str(tmp_path))
    assert {split: len(found) for split, found in classes_by_name(raw).items()} == {"train": 6, "test": 2}
    assert raw.layout.sources == {"train": "train.csv", "test": "test.csv"}


def test_hugging_faces_metadata_in_split_folders(tmp_path):
    for split, names in (("train", NAMES[:6]), ("test", NAMES[6:])):
        make_images(tmp_path / split, names)
        write_csv_table(tmp_path / split / "metadata.csv", {n: LABELS[n] for n in names}, "file_name,label")
    raw = open_source(str(tmp_path))
    assert classes_by_name(raw) == {"train": dict(list(LABELS.items())[:6]), "test": dict(list(LABELS.items())[6:])}
    (tmp_path / "test" / "metadata.csv").unlink()
    assert set(classes_by_name(open_source(str(tmp_path)))) == {"train"}


def test_hugging_faces_metadata_at_the_top(tmp_path):
    labels = {}
    for split, names in (("train", NAMES[:6]), ("validation", NAMES[6:])):
        make_images(tmp_path / split, names)
        labels |= {f"{split}/{name}": LABELS[name] for name in names}
    write_csv_table(tmp_path / "metadata.csv", labels, "file_name,label")
    assert set(classes_by_name(open_source(str(tmp_path)))) == {"train", "val"}


def class_folders(folder):
    for name, label in LABELS.items():
        make_images(folder / label, [name])


def test_class_folders_stay_class_folders_where_a_table_says_the_same(tmp_path):
    class_folders(tmp_path)
    before = open_source(str(tmp_path))
    write_csv_table(
        tmp_path / "metadata.csv", {f"{label}/{name}": label for name, label in LABELS.items()}, "file,class"
    )
    after = open_source(str(tmp_path))
    assert after.identity == before.identity
    assert after.layout.sources == {"all": "./"}


def test_a_table_that_contradicts_the_class_folders_is_refused(tmp_path):
    class_folders(tmp_path)
    swapped = {f"{label}/{name}": ("a", "b")[place // 4] for place, (name, label) in enumerate(LABELS.items())}
    write_csv_table(tmp_path / "labels.csv", swapped, "file,label")
    said = refusal(tmp_path)
    assert "'labels.csv' and the class folders say different labels" in said
    assert open_source(str(tmp_path / "labels.csv")).classes == ("a", "b")


def test_a_table_about_something_else_changes_nothing(tmp_path):
    class_folders(tmp_path)
    write_csv_table(tmp_path / "photographers.csv", {f"{label}/{name}": f"p{name}" for name, label in LABELS.items()},
                    "file,photographer")  # fmt: skip
    assert open_source(str(tmp_path)).classes == ("cat", "dog")


def test_what_is_not_sure_is_a_question(tmp_path):
    make_images(tmp_path / "images", NAMES)
    for name in ("a.csv", "b.csv"):
        write_csv_table(tmp_path / name, LABELS)
    assert "which table holds the labels, 'a.csv', 'b.csv'? Give it: --data" in refusal(tmp_path)
    (tmp_path / "b.csv").unlink()
    (tmp_path / "a.csv").write_text("image,dx,sex\n" + "".join(f"{n},{i % 2},{i // 4}\n" for i, n in enumerate(NAMES)))
    assert "--label-column dx or --label-column sex" in refusal(tmp_path)


def test_a_row_without_its_file_is_refused(tmp_path):
    make_images(tmp_path / "train", NAMES[1:])
    write_csv_table(tmp_path / "train.csv", IDS)
    assert "1 of 8 rows name files that are not there, the first '001' in row 1" in refusal(tmp_path)
