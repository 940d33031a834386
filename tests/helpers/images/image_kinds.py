"""Images of every kind that is decoded: formats, modes, bit depths, transparency, orientations, animations."""

import io
import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SIZE = (24, 18)
"""Width and height of a picture."""
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
}
TURNED = ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "MPO")
"""Formats whose EXIF says how they are to be turned."""
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


def picture(mode: str, size: tuple[int, int] = SIZE, seed: int = 0) -> Image.Image:
    """A picture in which no part looks like another, turned, mirrored or inverted."""
    rng = np.random.default_rng(seed)
    colours = Image.fromarray(rng.integers(0, 256, (3, 4, 4), dtype=np.uint8)).resize(size, Image.Resampling.BILINEAR)
    opaque = colours.convert("RGB")
    if mode in {"I;16", "I"}:
        grey = np.asarray(opaque.convert("L")).astype(np.uint16)
        return Image.fromarray(grey * 256 + np.arange(size[0], dtype=np.uint16)).convert(mode)
    if mode == "F":
        return Image.fromarray(np.asarray(opaque.convert("L"), np.float32) / 255)
    made = opaque.convert(mode)
    if mode in {"LA", "RGBA"}:
        made.putalpha(colours.getchannel("A"))
    return made


def encoded(made: Image.Image, form: str, **options: object) -> bytes:
    """The content of its file."""
    out = io.BytesIO()
    made.save(out, form, **options)
    return out.getvalue()


def kinds(size: tuple[int, int] = SIZE) -> Iterator[tuple[str, bytes]]:
    """Name and content of each image; all but the tiniest have this width and height before they are turned."""
    yield from _formats(size)
    yield from _turned(size)
    yield from _transparent(size)
    yield from _animated(size)


def refused() -> Iterator[tuple[str, bytes]]:
    """Name and content of images whose pixels have no known scale."""
    yield "tiff-F", encoded(picture("F"), "TIFF")
    yield "tiff-32-bits", encoded(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF")
    yield "tiff-negative", encoded(Image.fromarray(np.full((4, 4), -5, np.int32)), "TIFF")
    yield "pfm", encoded(picture("F"), "PPM")


def _formats(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    for form, modes in MODES.items():
        for mode in modes:
            yield f"{form}-{mode}".lower(), encoded(picture(mode, size), form)
    yield "jpeg-progressive", encoded(picture("RGB", size), "JPEG", progressive=True, quality=30)
    yield "pgm-10-bits", b"P5 3 1 1023\n" + np.array([0, 512, 1023], ">u2").tobytes()


def _turned(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    for form, turn, mode in itertools.product(TURNED, range(10), ("L", "RGB", "RGBA")):
        if mode == "RGBA" and form in {"JPEG", "MPO"}:
            continue
        exif = Image.Exif()
        exif[274] = turn
        yield f"{form}-{mode}-turned-{turn}".lower(), encoded(picture(mode, size), form, exif=exif)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[274] = turn
        yield f"png-16-bits-turned-{turn}", encoded(picture("I;16", size), "PNG", exif=exif)
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.format(turn))
        yield f"png-xmp-{turn}", encoded(picture("RGB", size), "PNG", pnginfo=text)
        yield f"webp-xmp-{turn}", encoded(picture("RGB", size), "WEBP", xmp=XMP.format(turn).encode())


def _transparent(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    palette = picture("P", size)
    first = int(np.asarray(palette)[0, 0])
    for form in ("PNG", "GIF"):
        yield f"{form}-palette-transparent".lower(), encoded(palette, form, transparency=first)
    yield "png-palette-alpha", encoded(palette, "PNG", transparency=bytes(range(256)))
    grey = picture("L", size)
    yield "png-grey-transparent", encoded(grey, "PNG", transparency=int(np.asarray(grey)[0, 0]))
    colour = picture("RGB", size)
    yield "png-colour-transparent", encoded(colour, "PNG", transparency=colour.getpixel((0, 0)))
    wide = picture("I;16", size)
    yield "png-16-bits-transparent", encoded(wide, "PNG", transparency=int(np.asarray(wide)[0, 0]))


def _animated(size: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    for form in ("GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF"):
        frames = [picture("RGB", size, seed) for seed in range(3)]
        yield f"{form}-animated".lower(), encoded(frames[0], form, save_all=True, append_images=frames[1:])
