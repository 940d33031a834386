"""Decoding one image: everything that is legal is decoded rightly, everything else is one clear error."""

import io
import pickle
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from trainables.common.errors import UserError
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.decoding.decode import Decoder, decode, decode_whole, read_image_header, resize_whole
from trainables.data.decoding.decode_cost import count_scans
from trainables.data.decoding.decode_limits import MAX_FILE_BYTES, MAX_REDUCED_PIXELS, training_limits
from trainables.data.decoding.stored_size import StoredShape, WholeSizes, stored_size


def encoded(picture: Image.Image, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def pixels(content: bytes, height: int, width: int, channels: int = 3) -> np.ndarray:
    return decode(content, "it", (height, width, channels))


def grey(values, dtype=np.uint8) -> Image.Image:
    return Image.fromarray(np.array(values, dtype))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_clipped(form):
    content = encoded(grey([[0, 257, 32896, 65535]], np.uint16), form)
    assert read_image_header(content, "it") == (1, 4, True)
    assert pixels(content, 1, 4, 1).ravel().tolist() == [0, 1, 128, 255]


def test_16_bits_of_a_portable_map_are_scaled_by_its_own_white():
    content = b"P5 3 1 1023\n" + np.array([0, 512, 1023], ">u2").tobytes()
    assert pixels(content, 1, 3, 1).ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (grey([[0.0, 1.0]], np.float32), "floating-point"),
        (grey([[0, 70000]], np.int32), "32-bit pixels from 0 to 70000"),
        (grey([[-5, 7]], np.int32), "32-bit pixels from -5 to 7"),
    ],
)
def test_pixels_of_unknown_scale_are_refused(picture, reason):
    with pytest.raises(BadImageError, match=reason):
        pixels(encoded(picture, "TIFF"), 1, 2)


def test_cmyk_becomes_rgb():
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow are red
    for form in ("JPEG", "TIFF"):
        assert np.abs(pixels(encoded(inks, form), 8, 8).reshape(-1, 3).mean(0) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_lie_on_white(mode):
    picture = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 255))
    picture.putpixel((2, 0), (0, 0, 0, 128))
    content = encoded(picture.convert(mode))
    for channels in (1, 3):
        found = pixels(content, 1, 3, channels)[0, :, 0].tolist()
        assert found == [255, 0, 127]


def test_a_transparent_colour_of_a_palette_grey_or_16_bits_is_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert pixels(encoded(palette), 1, 2).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert pixels(encoded(palette, transparency=1), 1, 2).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert pixels(encoded(palette, "GIF", transparency=1), 1, 2).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert pixels(encoded(grey([[0, 7]]), transparency=7), 1, 2, 1).ravel().tolist() == [0, 255]
    wide = encoded(grey([[0, 257]], np.uint16), transparency=257)
    assert pixels(wide, 1, 2, 1).ravel().tolist() == [0, 255]


def test_one_bit_is_black_and_white():
    assert pixels(encoded(grey([[0, 255]]).convert("1")), 1, 2, 1).ravel().tolist() == [0, 255]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_exif_orientation_is_set_upright(form, turn):
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    stored = [upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1]]
    stored += [s.T for s in (upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1])]
    by_turn = dict(zip(range(1, 9), stored, strict=True))  # EXIF 2.3, table of tag 274
    exif = Image.Exif()
    exif[274] = turn
    options = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(form, {})
    content = encoded(grey(by_turn[turn]), form, exif=exif, **options)
    assert read_image_header(content, "it")[:2] == (2, 3)
    assert np.abs(pixels(content, 2, 3, 1)[..., 0].astype(int) - upright).max() <= 3


def test_a_damaged_exif_label_is_no_reason_to_refuse():
    content = encoded(grey([[1, 2]]), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert pixels(content, 1, 2, 1).ravel().tolist() == [1, 2]


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(form):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    content = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert np.abs(pixels(content, 8, 8).reshape(-1, 3).mean(0) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (1, 60_000)])
def test_extreme_sizes_are_decoded_at_once(size):
    began = time.monotonic()
    assert (pixels(encoded(Image.new("RGB", size, (9, 8, 7))), 256, 256) == [9, 8, 7]).all()
    assert time.monotonic() - began < 1


def test_resizing_keeps_the_middle():
    strip = np.zeros((10, 30, 3), np.uint8)
    strip[:, 10:20] = 255
    assert (pixels(encoded(Image.fromarray(strip)), 20, 20)[:, 4:16] == 255).all()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_001, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(size):
    for read in (lambda content: read_image_header(content, "it"), lambda content: pixels(content, 8, 8)):
        with pytest.raises(BadImageError, match="100,000,000 pixels: a decompression bomb"):
            read(png_claiming(*size))


def test_the_limit_is_our_own_and_not_pillows(monkeypatch):
    assert Image.MAX_IMAGE_PIXELS == MAX_REDUCED_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(BadImageError, match="bomb"):
        read_image_header(png_claiming(10_001, 10_000), "it")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(BadImageError, match="bomb"):
        read_image_header(png_claiming(5, 5), "it")


def test_a_jpeg_of_very_many_scans_is_refused_before_it_takes_hours():
    content = encoded(Image.new("RGB", (4000, 3000)), "JPEG", progressive=True)
    usual = count_scans(content)
    assert 1 < usual < 20
    last = content[content.rfind(b"\xff\xda") : -2]
    began = time.monotonic()
    with pytest.raises(BadImageError, match=rf"has {usual + 5000:,} scans"):
        pixels(content[:-2] + last * 5000 + b"\xff\xd9", 8, 8)
    assert time.monotonic() - began < 1
    assert count_scans(content + b"\xff\xda\x00\x02" * 5000) == usual, "what follows the picture does not count"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"this is no picture", "no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
        (encoded(Image.effect_noise((64, 64), 90))[:2000], "cannot be decoded"),
        (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:900], "truncated"),
        (b"\x89PNG\r\n\x1a\n", "no image"),
    ],
)
def test_what_is_bad_is_said(content, reason):
    with pytest.raises(BadImageError, match=reason) as error:
        pixels(content, 8, 8)
    assert "\n" not in str(error.value)
    assert "0x" not in str(error.value), "the same words every time"
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.image) == (str(error.value), error.value.image)


def test_a_file_that_the_disk_does_not_give_is_not_called_bad(tmp_path):
    for read in (lambda file: read_image_header(file, str(file)), lambda file: decode(file, str(file), (8, 8, 3))):
        with pytest.raises(UserError, match=r"gone\.png: cannot be read \(No such file") as error:
            read(tmp_path / "gone.png")
        assert not isinstance(error.value, BadImageError)


def test_a_file_too_large_for_an_image_is_not_read(tmp_path):
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(BadImageError, match="1,000,000,001 bytes"):
        decode(tmp_path / "huge.png", "huge", (8, 8, 3))


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (1, 700), (16, 16), (3, 5)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_whole_image_keeps_its_edges(size, channels):
    picture, stored = photo(*size), stored_size(*size, 32)
    converted = picture.convert("L" if channels == 1 else "RGB")
    across = converted.resize((stored[1], picture.height), Image.Resampling.BICUBIC)  # then down
    expected = across.resize(stored[::-1], Image.Resampling.BICUBIC)
    found = decode_whole(encoded(picture), "it", 32, channels)
    assert found.shape == (*stored, channels)
    assert np.array_equal(found.squeeze(), np.asarray(expected).squeeze())
    whole = np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(*size, channels)
    assert np.array_equal(resize_whole(whole, 32), found)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_a_whole_image_is_set_upright(form, turn):
    exif = Image.Exif()
    exif[274] = turn
    content = encoded(photo(40, 100), form, exif=exif)
    height, width, _ = read_image_header(content, "it")
    assert decode_whole(content, "it", 20, 3).shape == (*stored_size(height, width, 20), 3)
    assert {height, width} == {40, 100}


def test_a_large_jpeg_is_reduced_to_the_same_whole_image():
    picture = photo(3000, 6000)
    found = decode_whole(encoded(picture, "JPEG", quality=95), "it", 64, 3)
    expected = np.asarray(picture.resize((128, 64), Image.Resampling.BICUBIC), int)
    assert found.shape == (64, 128, 3)
    assert np.abs(found - expected).mean() < 2


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("whole", [None, WholeSizes(16, 256)], ids=["square", "whole"])
def test_max_pixels_refuses_and_allows(form, whole):
    content, shape = encoded(photo(50, 40), form), StoredShape(16, 16, 3, whole)

    def read(max_pixels: int) -> np.ndarray:
        read_image_header(content, "it", training_limits(max_pixels))
        return Decoder(Encoded(content), shape, max_pixels)(0)

    assert read(2000).shape[2] == 3
    for step in (lambda: read(1999), lambda: Decoder(Encoded(content), shape, 1999)(0)):
        with pytest.raises(BadImageError, match=r"more than 1,999 pixels: .*which --max-pixels 2000 allows"):
            step()


class Encoded:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __call__(self, _row: int) -> bytes:
        return self.content

    def name(self, row: int) -> str:
        return f"image {row}"


def test_max_pixels_allows_a_true_giant(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", MAX_REDUCED_PIXELS)
    content, limits = encoded(Image.new("L", (20_000, 5_001), 7)), training_limits(270_000_000)
    with pytest.raises(BadImageError, match="more than 100,000,000 pixels: a decompression bomb"):
        read_image_header(content, "it")
    assert read_image_header(content, "it", limits) == (5_001, 20_000, True)
    assert decode_whole(content, "it", 32, 1, limits).shape == (32, 128, 1)
    assert read_image_header(png_claiming(30_000, 9_000), "it", limits)[:2] == (9_000, 30_000)
