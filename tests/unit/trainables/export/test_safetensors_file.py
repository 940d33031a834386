"""Safetensors files: the library reads them, and equal content is an equal file in every process."""

import json
import re
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file

from tests.helpers.made_tensors import made
from tests.helpers.repository import ROOT
from trainables.export.safetensors_file import LENGTH, serialize, write_safetensors


def test_what_is_written_is_read_again():
    tensors, metadata = made()
    found = load(serialize(tensors, metadata))
    assert set(found) == set(tensors)
    assert all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in tensors.items()
    )


def test_the_header_is_sorted_and_aligned(tmp_path):
    tensors, metadata = made()
    content = serialize(tensors, metadata)
    length = int.from_bytes(content[:LENGTH], "little")
    assert length % LENGTH == 0, "tensors begin aligned"
    header = json.loads(content[LENGTH : LENGTH + length])
    assert list(header) == sorted(header)
    assert list(header["__metadata__"]) == sorted(metadata)
    write_safetensors(tmp_path / "some.safetensors", tensors, metadata)
    with safe_open(tmp_path / "some.safetensors", "pt") as file:
        assert file.metadata() == metadata


@pytest.mark.parametrize("metadata", [None, {}])
def test_a_file_without_metadata(metadata):
    assert b"__metadata__" not in serialize({"a": torch.zeros(2)}, metadata)


def test_memory_layout_makes_no_difference():
    plain = torch.rand(2, 3, 4, 5)
    other = plain.to(memory_format=torch.channels_last)
    assert serialize({"a": plain}) == serialize({"a": other})
    assert torch.equal(load(serialize({"a": other}))["a"], plain)


def test_order_of_insertion_makes_no_difference():
    assert serialize(*made()) == serialize(*made(reverse=True))


def test_a_winner_and_a_checkpoint_are_written_so(trained, tmp_path):
    """What is on disk of a real winner is what this module makes of it, and others may read it as the umask says."""
    file = trained / "model.safetensors"
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    assert file.read_bytes() == serialize(load_file(file), metadata)
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_no_other_module_writes_safetensors():
    root = ROOT
    writes = re.compile(r"^\s*from safetensors\S* import .*\bsave", re.MULTILINE)
    sources = (path for package in ("searchspace", "trainables") for path in (root / package).rglob("*.py"))
    assert [path.name for path in sources if writes.search(path.read_text())] == ["safetensors_file.py"]
