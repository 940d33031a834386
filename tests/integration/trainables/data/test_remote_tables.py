"""Tables and their images at URLs: read from copies, and never from where a cell or a record would send credentials."""

import pytest

from tests.helpers.images.labelled_tables import image_names, labels_of, make_images, read_back, write_csv_table
from tests.helpers.servers.s3_server import s3
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

NAMES = image_names()
LABELS = labels_of(NAMES)


@pytest.fixture
def uploaded(bucket, tmp_path):
    for file in make_images(tmp_path / "local", NAMES):
        s3().upload_file(str(file), bucket, f"set/img/{file.name}")
    return bucket


@pytest.mark.parametrize("form", ["{name}", "img/{name}", "{stem}"])
def test_a_table_at_a_url_names_the_images_below_its_folder(uploaded, tmp_path, form):
    cells = {form.format(name=name, stem=name[:-4]): label for name, label in LABELS.items()}
    s3().upload_file(str(write_csv_table(tmp_path / "labels.csv", cells)), uploaded, "set/labels.csv")
    raw = open_source(f"s3://{uploaded}/set/labels.csv")
    assert read_back(raw) == {"train": {f"img/{name}": label for name, label in LABELS.items()}}
    with pytest.raises(UserError, match=r"there is no 'no\.csv'"):
        open_source(f"s3://{uploaded}/set/no.csv")


def test_a_local_table_with_a_root_or_cells_at_a_url(uploaded, tmp_path):
    write_csv_table(tmp_path / "a.csv", LABELS)
    raw = open_source(str(tmp_path / "a.csv"), DataOptions(root=f"s3://{uploaded}/set/img"))
    assert read_back(raw) == {"train": LABELS}
    cells = {f"s3://{uploaded}/set/img/{name}": label for name, label in LABELS.items()}
    write_csv_table(tmp_path / "b.csv", cells)
    assert read_back(open_source(str(tmp_path / "b.csv"))) == {"train": LABELS}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("s3://{bucket}/set/img/1.png?endpoint_override=evil.example.org", "no record may choose"),
        ("s3://key:secret@{bucket}/set/img/1.png", "holds credentials"),
        ("s3://{bucket}/set/../x.png", "is no name"),
    ],
)
def test_a_cell_chooses_no_host_and_no_credentials(uploaded, tmp_path, cell, said):
    cells = {f"s3://{uploaded}/set/img/{name}": label for name, label in LABELS.items()}
    write_csv_table(tmp_path / "b.csv", cells | {cell.format(bucket=uploaded): "cat"})
    with pytest.raises(UserError, match=said):
        open_source(str(tmp_path / "b.csv"))
