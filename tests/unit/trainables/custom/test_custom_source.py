"""Data sources of the user's own: what they may return, what changes their identity, and other processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from searchspace.data import with_own_source
from searchspace.spec import make_spec
from trainables.common.errors import UserError
from trainables.custom.collect import collect
from trainables.custom.custom_source import describe_source
from trainables.custom.register import register, register_descriptions
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

SOURCE = """
import numpy as np
from pathlib import Path
from PIL import Image
from trainables.data.sources.source import DataSource, Part, RawSet

def read(path):
    \"\"\"Pixels and names.\"\"\"
    table = np.loadtxt(path, delimiter=",", dtype=int)
    return table[:, 1:].astype(np.uint8).reshape(-1, 2, 2), np.array(["cat", "dog"])[table[:, 0]]

def read_splits(path, options):
    images, labels = read(path)
    numbers = (labels == "dog").astype(int)
    return {"train": (images, numbers), "test": (images[:2], numbers[:2]), "classes": ["a cat", "a dog"]}

def open_pictures(path, options):
    files = sorted(Path(path).glob("*.png"))
    part = Part(
        labels=np.arange(len(files)) % 2, decode=lambda i: np.asarray(Image.open(files[i]))[..., None],
        name=lambda i: files[i].name,
    )
    return RawSet("pictures", ("even", "odd"), {"train": part}, 1, 4, 4, identity=str(len(files)), encoded=True)

PICTURES = DataSource("a folder of PNG files", open_pictures)

def nothing(path):
    return 3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_source.py").write_text(SOURCE)
    (tmp_path / "table.csv").write_text("0,0,1,2,3\n1,4,5,6,7\n1,8,9,10,11\n0,1,1,1,1\n")
    yield tmp_path
    register_descriptions(collect([]))


def opened(folder, name, data="table.csv"):
    code = collect([("source", f"{folder}/my_source.py:{name}")])
    register(code)
    return open_source(str(folder / data), DataOptions(data_source=code.parts[0].name))


def test_a_function_returns_images_and_labels(folder):
    raw = opened(folder, "read")
    assert raw.classes == ("cat", "dog")
    assert (raw.height, raw.width, raw.channels, list(raw.parts)) == (2, 2, 1, ["train"])
    assert raw.parts["train"].labels.tolist() == [0, 1, 1, 0]
    assert raw.parts["train"].decode(1)[..., 0].tolist() == [[4, 5], [6, 7]]


def test_splits_and_classes_may_be_given(folder):
    raw = opened(folder, "read_splits")
    assert raw.classes == ("a cat", "a dog")
    assert {name: part.labels.tolist() for name, part in raw.parts.items()} == {"train": [0, 1, 1, 0], "test": [0, 1]}


def test_content_and_code_change_the_identity(folder):
    first = opened(folder, "read").identity
    assert opened(folder, "read").identity == first
    (folder / "my_source.py").write_text(SOURCE + "\n# changed\n")
    second = opened(folder, "read").identity
    (folder / "table.csv").write_text("0,0,1,2,3\n1,4,5,6,8\n")
    assert len({first, second, opened(folder, "read").identity}) == 3


def test_other_processes_decode_with_the_code(folder):
    for index in range(4):
        Image.fromarray(np.full((4, 4), 10 * index, np.uint8)).save(folder / f"{index}.png")
    raw = opened(folder, "PICTURES", ".")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        images = list(pool.map(raw.parts["train"].decode, range(4)))
    assert [int(image.mean()) for image in images] == [0, 10, 20, 30]


def test_what_is_no_data_set_is_refused(folder):
    with pytest.raises(UserError, match=r"^--data-source '.*nothing': returned int; return a RawSet"):
        opened(folder, "nothing")
    with pytest.raises(UserError, match=r"FileNotFoundError: .*missing\.csv"):
        opened(folder, "read", "missing.csv")
    with pytest.raises(UserError, match="is a set that is known by name"):
        open_source("digits", DataOptions(data_source="custom/my_source.read"))
    with pytest.raises(UserError, match="its code is not loaded here"):
        open_source(str(folder), DataOptions(data_source="custom/other.read"))


@pytest.mark.parametrize(("found", "message"), [(3, "is a int"), (lambda: None, "a data source takes")])
def test_what_is_no_source_is_refused(found, message):
    with pytest.raises(UserError, match=message):
        describe_source(found)


def test_the_data_command_takes_one(folder):
    spec = make_spec(name="x", data=str(folder / "table.csv"), data_source=f"{folder}/my_source.py:read")
    named = with_own_source(spec)
    assert named.data_source == "custom/my_source.read"
    assert open_source(named.data, named.data_options).classes == ("cat", "dog")
