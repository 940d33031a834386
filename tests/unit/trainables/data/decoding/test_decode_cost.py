"""What decoding takes is known before: never less than it does take, and little for the photos of phones."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.images.image_kinds import encoded, kinds, picture
from tests.helpers.repository import ROOT
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.decoding.decode import decode
from trainables.data.decoding.decode_cost import REDUCED_FROM, DecodeCost, max_decode_memory, plan_decode
from trainables.data.decoding.decode_limits import DecodeLimits

SIZE = (1200, 900)


def costliest(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """Of the formats' kinds those that take most."""
    yield "webp-lossless", encoded(picture("RGBA", size), "WEBP", lossless=True, method=0)
    yield "jpeg2000-lossless", encoded(picture("RGBA", size), "JPEG2000", irreversible=False)
    for mode in ("RGB", "CMYK"):
        yield f"jpeg-progressive-{mode}", encoded(picture(mode, size), "JPEG", progressive=True, subsampling=0)
    yield "png", encoded(picture("RGBA", size), "PNG", compress_level=1)
    yield "tiff", encoded(picture("I", size), "TIFF")
    yield "gif", encoded(picture("P", size), "GIF", transparency=1)
    yield "pgm", encoded(picture("I;16", size), "PPM")


def costly(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """Images of every kind, of the turned ones those of one turn; and the costliest."""
    yield from ((name, content) for name, content in kinds(size) if "turned" not in name or name.endswith("-6"))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield compression, encoded(picture("RGB", size), "TIFF", compression=compression)
    yield from costliest(size)


def measure(made: Callable[[tuple[int, int]], Iterator[tuple[str, bytes]]]) -> None:
    """Print, as JSON, which of the images of a size took more memory than was said, and how many there are."""
    from searchspace.serving.byte_budget import return_freed_memory

    return_freed_memory()
    decode(encoded(picture("RGB", (64, 64)), "PNG"), "it", (32, 32, 3))
    wrong, number = [], 0
    for name, content in made(SIZE):
        said: list[DecodeCost] = []

        @contextmanager
        def reserve(cost: DecodeCost, said: list[DecodeCost] = said) -> Iterator[None]:
            Path("/proc/self/clear_refs").write_text("5")
            said.append(cost)
            yield

        before = resident("VmRSS")
        decode(content, name, (32, 32, 3), DecodeLimits(reserve=reserve))
        took = resident("VmHWM") - before
        number += 1
        if took > said[0].memory + 500_000:
            wrong.append((name, took, said[0].memory))
    print(json.dumps([number, wrong]))


def resident(key: str) -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key)]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(
    ("made", "least"), [("costliest", 8), pytest.param("costly", 80, marks=pytest.mark.slow)]
)  # fmt: skip
def test_no_kind_of_image_takes_more_memory_than_its_header_says(made, least):
    command = [
        sys.executable,
        "-c",
        f"from tests.unit.trainables.data.decoding.test_decode_cost import {made}, measure; measure({made})",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    number, wrong = json.loads(done.stdout)
    assert number >= least
    assert wrong == []


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)).resize((width, height))


@pytest.mark.parametrize(("shape", "form"), [((224, 224, 3), "JPEG"), ((32, 32, 1), "JPEG"), ((224, 160, 3), "MPO")])
def test_a_jpeg_that_is_reduced_looks_as_if_it_were_not(shape, form, monkeypatch):
    content = encoded(photograph(5000, 3400), form, quality=92)
    assert REDUCED_FROM < 5000 * 3400
    reduced = decode(content, "it", shape)
    monkeypatch.setattr("trainables.data.decoding.decode_cost.REDUCED_FROM", 10**9)
    whole = decode(content, "it", shape)
    assert np.abs(reduced.astype(int) - whole).mean() < 0.5
    assert np.abs(reduced.astype(int) - whole).max() <= 6


def test_jpegs_of_the_usual_sizes_are_decoded_as_before():
    content = encoded(photograph(4000, 3000), "JPEG")
    with Image.open(io.BytesIO(content)) as opened:
        cost = plan_decode(opened, content, 224)
        assert (cost.pixels, opened.size) == (12_000_000, (4000, 3000))


def cost_of(content: bytes, side: int = 224) -> DecodeCost:
    with Image.open(io.BytesIO(content)) as opened:
        return plan_decode(opened, content, side)


def test_a_phones_photo_of_50_megapixels_takes_less_memory_than_a_screenshot():
    content = encoded(Image.new("L", (8160, 6120), 9), "JPEG")
    assert cost_of(content).memory < 50_000_000
    assert decode(content, "it", (224, 224, 3), DecodeLimits(pixels=4_000_000)).mean() == pytest.approx(9, abs=1)


def test_a_jpeg_of_several_scans_counts_whole_whatever_it_says_of_itself():
    plain = encoded(Image.new("L", (5000, 4000)), "JPEG")
    scan = plain[plain.rfind(b"\xff\xda") : -2]
    several = plain[:-2] + scan + b"\xff\xd9"
    progressive = encoded(Image.new("L", (5000, 4000)), "JPEG", progressive=True)
    assert cost_of(plain).pixels < 3_000_000
    for content in (several, progressive):
        assert cost_of(content).pixels == 20_000_000
        with pytest.raises(BadImageError, match="more than 19,000,000 pixels"):
            decode(content, "it", (224, 224, 3), DecodeLimits(pixels=19_000_000))


def test_a_thumbnail_is_no_scan():
    exif = Image.Exif()
    exif[0x010E] = "\xff\xda" * 10
    plain = encoded(Image.new("L", (5000, 4000)), "JPEG", exif=exif, comment=encoded(Image.new("L", (99, 99)), "JPEG"))
    assert cost_of(plain).pixels < 3_000_000


def tiled(side: int, tile: int) -> bytes:
    """A TIFF of one deflated tile."""
    data = zlib.compress(bytes(1000))
    tags = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_tile_larger_than_its_tiff_counts():
    assert cost_of(tiled(64, 64)).pixels == 4096
    assert cost_of(tiled(64, 32_768)).pixels == 2**30
    with pytest.raises(BadImageError, match="more than 100,000,000 pixels: a decompression bomb"):
        decode(tiled(64, 32_768), "it", (8, 8, 1))


def test_an_avif_may_hold_more_than_it_says_and_is_decoded_alone():
    assert cost_of(encoded(picture("RGB"), "AVIF")).exclusive


def test_the_largest_of_any_kind_is_what_the_budget_of_a_replica_must_have():
    for name, content in costliest((60, 40)):
        assert cost_of(content).memory <= max_decode_memory(2400), name
