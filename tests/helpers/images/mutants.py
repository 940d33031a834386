"""Damaged images: valid JPEGs and PNGs of many kinds, and what a seeded generator makes of them."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

Rng = np.random.Generator


def originals() -> list[bytes]:
    """Valid files: baseline, progressive, grey, CMYK, rotated; RGB, palette, 16 bits, transparent, 1 bit, animated."""
    rng = np.random.default_rng(7)
    colour = Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))
    wide = Image.fromarray(rng.integers(0, 65536, (40, 56), dtype=np.uint16))
    clear = colour.convert("RGBA")
    clear.putalpha(128)
    exif = Image.Exif()
    exif[274] = 6
    files: list[tuple[Image.Image, str, dict[str, object]]] = [
        (colour, "JPEG", {}),
        (colour, "JPEG", {"progressive": True, "quality": 95}),
        (colour.convert("L"), "JPEG", {"optimize": True}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "JPEG", {"exif": exif, "subsampling": 0}),
        (colour, "PNG", {}),
        (colour.quantize(16), "PNG", {"transparency": 3}),
        (wide, "PNG", {}),
        (clear, "PNG", {"exif": exif}),
        (clear.convert("LA"), "PNG", {}),
        (colour.convert("1"), "PNG", {}),
        (colour, "PNG", {"save_all": True, "append_images": [colour.rotate(90)]}),
    ]
    return [_encoded(*file) for file in files]


def mutant(content: bytes, rng: Rng) -> bytes:
    """`content` with one to three kinds of damage."""
    for _ in range(rng.integers(1, 4)):
        content = DAMAGES[rng.integers(len(DAMAGES))](content, rng)
    return content


def _encoded(picture: Image.Image, form: str, options: dict[str, object]) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def _flip(content: bytes, rng: Rng) -> bytes:
    """Some bits, anywhere."""
    data = np.frombuffer(content, np.uint8).copy()
    if len(data):
        at = rng.integers(len(data), size=rng.integers(1, 20))
        data[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    return data.tobytes()


def _truncate(content: bytes, rng: Rng) -> bytes:
    return content[: rng.integers(len(content) + 1)]


def _edit_header(content: bytes, rng: Rng) -> bytes:
    """Some of the first bytes, anything."""
    data = bytearray(content)
    for at in rng.integers(min(len(data), 200), size=4) if data else ():
        data[at] = rng.integers(256)
    return bytes(data)


def _move(content: bytes, rng: Rng) -> bytes:
    """A piece taken from somewhere, to somewhere else; or there twice."""
    first, last = sorted(rng.integers(len(content) + 1, size=2))
    piece, rest = content[first:last], content if rng.random() < 0.3 else content[:first] + content[last:]
    to = rng.integers(len(rest) + 1)
    return rest[:to] + piece + rest[to:]


def _swap_chunks(content: bytes, rng: Rng) -> bytes:
    """PNG chunks, or JPEG segments, in another order."""
    mark = b"\xff" if content[:2] == b"\xff\xd8" else b"\0\0\0"
    pieces = content.split(mark)
    a, b = rng.integers(len(pieces), size=2)
    pieces[a], pieces[b] = pieces[b], pieces[a]
    return mark.join(pieces)


def _edit_size(content: bytes, rng: Rng) -> bytes:
    """Height and width in the header, anything up to what 16 or 32 bits hold, with a right checksum."""
    if content[12:16] == b"IHDR":
        size = struct.pack(">II", *(int(2 ** rng.uniform(0, 32)) for _ in range(2)))
        header = content[12:16] + size + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    frames = [at for mark in (b"\xff\xc0", b"\xff\xc2") if (at := content.find(mark)) >= 0]
    if not frames:
        return content
    size = struct.pack(">HH", *(int(2 ** rng.uniform(0, 16)) for _ in range(2)))
    return content[: frames[0] + 5] + size + content[frames[0] + 9 :]


def _edit_kind(content: bytes, rng: Rng) -> bytes:
    """Bit depth, colour type and interlacing of a PNG, with a right checksum; or a JPEG's count of components."""
    if content[12:16] == b"IHDR":
        kind = bytes([[1, 2, 4, 8, 16][rng.integers(5)], [0, 2, 3, 4, 6][rng.integers(5)], 0, 0, rng.integers(2)])
        header = content[12:24] + kind
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    at = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    return content if at < 0 else content[: at + 9] + bytes([rng.integers(6)]) + content[at + 10 :]


def _lengthen(content: bytes, rng: Rng) -> bytes:
    """A length field of a chunk or segment, anything."""
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(4) + content[at + 4 :]


DAMAGES: list[Callable[[bytes, Rng], bytes]] = [
    _flip, _truncate, _edit_header, _move, _swap_chunks, _edit_size, _edit_kind, _lengthen,
]  # fmt: skip
