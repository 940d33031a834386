"""Folder trees drawn by hypothesis: each ends in the true classes, or in one line that names the thing and a remedy."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.images.folder_trees import ODD_CLASSES, PLAIN_CLASSES, MadeTree, change, litter, make_set
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source import RawSet
from trainables.data.sources.source_registry import open_source

PLAIN = st.sampled_from(PLAIN_CLASSES)
ANY = (
    PLAIN
    | st.sampled_from(ODD_CLASSES)
    | st.text("abXY01é日-_. ()'", min_size=1, max_size=12).filter(
        lambda name: name.strip(". ") and not name.startswith((".", "_", "-"))
    )
)
REMEDY = re.compile(
    r"\b(give|put|delete|move|name|names|convert|rename|mend|replace|add|sort|expected|keep|leave|install|follows)\b"
)
QUIET = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read(raw: RawSet) -> dict[str, dict[str, str]]:
    """Class of each image by path, of each part that has any."""
    return {
        split: {part.name(i): raw.classes[label] for i, label in enumerate(part.labels)}
        for split, part in raw.parts.items()
        if len(part.labels)
    }


def check_plain(data: st.DataObject) -> None:
    """A known layout with names that are no one else's, and litter: it is read as it is meant."""
    with tempfile.TemporaryDirectory() as folder:
        tree = make_set(data.draw, Path(folder).resolve() / "set", PLAIN)
        for _ in range(data.draw(st.integers(0, 2))):
            litter(data.draw, tree)
        raw = open_source(str(tree.root))
        assert read(raw) == tree.truth
        assert set(raw.classes) == set(tree.truth["train"].values())
        assert not raw.layout.warnings
        check_nothing_is_lost(tree, raw)


def check_nothing_is_lost(tree: MadeTree, raw: RawSet) -> None:
    """Every file is used, bad or left out, itself or with a folder above it."""
    known = {file for part in read(raw).values() for file in part}
    known |= {file.path for file in raw.layout.left_out} | {image.name for image in raw.bad_images}
    for file in tree.root.rglob("*"):
        assert file.is_dir() or any(str(place) in known for place in (file, *file.parents)), file


def check_any(data: st.DataObject) -> None:
    """Any names and changes: the truth, or a refusal."""
    with tempfile.TemporaryDirectory() as folder:
        tree = make_set(data.draw, Path(folder).resolve() / "set", ANY)
        for _ in range(data.draw(st.integers(0, 3))):
            change(data.draw, tree)
        try:
            raw = open_source(str(tree.root), DataOptions(follow_links=data.draw(st.booleans())))
        except UserError as error:
            check_message(tree, str(error))
            return
        found = {split: {file: name for file, name in files.items() if not is_outside(tree, file)}
                 for split, files in read(raw).items()}  # fmt: skip
        truth = {split: files for split, files in tree.truth.items() if files}
        assert found == truth or raw.layout.warnings, tree.changes
        check_nothing_is_lost(tree, raw)


def is_outside(tree: MadeTree, file: str) -> bool:
    """Whether a file was reached by a link out of the tree."""
    return not Path(file).resolve().is_relative_to(tree.root)


def check_message(tree: MadeTree, text: str) -> None:
    """One line, which names what is in doubt, and what to do."""
    assert len(text.splitlines()) == 1
    assert REMEDY.search(text), text
    names = {part for file in tree.root.rglob("*") for part in file.relative_to(tree.root).parts}
    assert any(repr(name)[1:-1] in text for name in (*names, str(tree.root))), text


@given(st.data())
@settings(QUIET, max_examples=60)
def test_a_known_layout_is_read_as_it_is_meant(data):
    check_plain(data)


@given(st.data())
@settings(QUIET, max_examples=100)
def test_any_tree_is_read_as_it_is_meant_or_refused(data):
    check_any(data)


@pytest.mark.slow
@given(st.data())
@settings(QUIET, max_examples=300)
def test_many_known_layouts_are_read_as_they_are_meant(data):
    check_plain(data)


@pytest.mark.slow
@given(st.data())
@settings(QUIET, max_examples=600)
def test_many_trees_are_read_as_they_are_meant_or_refused(data):
    check_any(data)
