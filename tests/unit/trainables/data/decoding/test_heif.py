"""HEIC images, where the extra that decodes them is installed: as others in training, prediction and the service."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searchspace.prediction.inputs import find_inputs
from tests.helpers.images.data_sets import heic_image
from tests.helpers.images.image_kinds import encoded, picture
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.decoding.decode import FORMATS, decode, read_image_header
from trainables.data.decoding.decode_cost import plan_decode
from trainables.data.decoding.decode_limits import DecodeLimits
from trainables.data.decoding.heif import HEIF_SUFFIXES, with_heif
from trainables.data.layouts.image_files import kind_by_content, kind_by_name
from trainables.data.store.store import open_store, prepare_data


@pytest.fixture(autouse=True)
def registered():
    assert with_heif(FORMATS) == (*FORMATS, "HEIF")


@pytest.mark.parametrize(("mode", "grey"), [("L", True), ("RGB", False), ("RGBA", False), ("I;16", True)])
def test_every_mode_is_decoded_and_told_by_its_header(mode, grey):
    made = picture(mode, (40, 30))
    content = encoded(made, "HEIF", quality=-1, chroma=444)
    assert read_image_header(content, "it") == (30, 40, grey)
    found = decode(content, "it", (30, 40, 3)).astype(int)
    expected = decode(encoded(made, "PNG"), "it", (30, 40, 3))
    assert np.abs(found - expected).mean() < 3


@pytest.mark.parametrize("turn", range(1, 9))
def test_photographs_of_phones_are_upright(turn):
    """The turn is a property of the file, not its EXIF (ISO/IEC 23008-12); the encoder makes one of the other."""
    made, exif = picture("RGB", (40, 30)), Image.Exif()
    exif[274] = turn
    other = encoded(made, "PNG", exif=exif)
    made.info["exif"] = exif.tobytes()
    content = encoded(made, "HEIF", quality=-1, chroma=444)
    height, width, _ = read_image_header(other, "it")
    assert read_image_header(content, "it")[:2] == (height, width)
    shape = (height, width, 3)
    assert np.abs(decode(content, "it", shape).astype(int) - decode(other, "it", shape)).mean() < 3


def test_its_suffixes_and_its_first_bytes_tell_it():
    assert {kind_by_name(f"a{suffix}") for suffix in HEIF_SUFFIXES} == {"image"}
    assert kind_by_content(encoded(picture("RGB"), "HEIF")[:64]) == "image"


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_a_damaged_one_is_a_bad_image(part):
    content = encoded(picture("RGB", (64, 48)), "HEIF")
    with pytest.raises(BadImageError):
        decode(content[: int(len(content) * part)], "it", (8, 8, 3))
    with pytest.raises(BadImageError, match="more than 1,000 pixels"):
        decode(content, "it", (8, 8, 3), DecodeLimits(pixels=1000))


def test_one_is_decoded_alone_as_its_frames_may_be_larger_than_it_says():
    content = encoded(picture("RGB"), "HEIF")
    with Image.open(io.BytesIO(content)) as opened:
        assert plan_decode(opened, content, 224).exclusive


def test_a_search_reads_them_by_name_and_by_content(tmp_path):
    for name, at in (("cat", 0), ("dog", 100)):
        for i in range(8):
            heic_image(tmp_path / "set" / name / f"IMG_{i}{('.HEIC', '.heif', '.hif', '')[i % 4]}", at + i)
    data = prepare_data(str(tmp_path / "set"))
    assert (data.train + data.val + data.test, data.left_out, data.height) == (16, (), 8)
    assert len(np.unique(np.asarray(open_store(data).images[:2]))) > 50, "pixels, not blanks"


def test_prediction_takes_them_from_folders(tmp_path):
    files = [heic_image(tmp_path / "photos" / f"{i}.HEIC", i) for i in range(2)]
    inputs = find_inputs([str(tmp_path / "photos")])
    assert (inputs.images, inputs.left_out) == ([str(file) for file in files], [])
    assert decode(Path(inputs.images[0]), "it", (8, 8, 3)).std() > 20
