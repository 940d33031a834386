"""The pages of parts of one's own show the files of docs/examples as they are, and these can be used as they say."""

import numpy as np
import pytest

from tests.helpers.documents.blocks import python_blocks
from tests.helpers.repository import ROOT
from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register, register_descriptions
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source

PAGES = {
    "docs/custom-model.md": ("model", "custom_model/my_net.py:build"),
    "docs/custom-metric.md": ("metric", "custom_metric/my_metric.py:kappa"),
    "docs/custom-augmentation.md": ("augmentation", "custom_augmentation/my_aug.py:fade"),
    "docs/custom-data-source.md": ("source", "custom_data_source/my_source.py:pixels"),
    "docs/custom-space.md": ("space", "custom_space/my_space.py:space"),
}
"""Kind and example of each page."""
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(autouse=True)
def forget():
    yield
    register_descriptions(CustomCode())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_its_example_as_it_is(page):
    kind, example = PAGES[page]
    folder = (EXAMPLES / example).parent
    shown = {block.code + "\n" for block in python_blocks(ROOT / page) if not block.reason}
    assert shown == {file.read_text() for file in folder.glob("*.py")}
    text = (ROOT / page).read_text()
    assert all(f"docs/examples/{folder.name}/{file.name}`" in text for file in folder.glob("*.py"))
    assert example.rpartition("/")[2] in text, "its command line"
    assert kind


@pytest.mark.parametrize("page", PAGES)
def test_an_example_can_be_used(page):
    kind, example = PAGES[page]
    code = collect([(kind, f"{EXAMPLES / example}")])
    register(code)
    assert [part.kind for part in code.parts] == [kind]


def test_the_data_source_reads_its_file(tmp_path):
    table = np.c_[[3, 5, 5], np.arange(12).reshape(3, 4)]
    np.savetxt(tmp_path / "digits.csv", table, "%d", ",", header="label,a,b,c,d", comments="")
    code = collect([("source", f"{EXAMPLES / 'custom_data_source' / 'my_source.py'}:pixels")])
    register(code)
    raw = open_source(str(tmp_path / "digits.csv"), DataOptions(data_source=code.parts[0].name))
    assert raw.classes == ("digit 3", "digit 5")
    assert raw.parts["train"].decode(1)[..., 0].tolist() == [[4, 5], [6, 7]]
