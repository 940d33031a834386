"""Small data sets on disk: folders of images and parquet files."""

import io
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from trainables.data.decoding.heif import with_heif

if TYPE_CHECKING:
    pass


def write_images(folder: Path, count: int, size: tuple[int, int], colour: tuple[int, int, int], seed: int = 0) -> None:
    """Noisy images around one colour."""
    rng = np.random.default_rng([seed, *colour])
    folder.mkdir(parents=True)
    for i in range(count):
        noise = rng.integers(-40, 40, (*size, 3))
        pixels: NDArray[np.uint8] = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


def encoded(value: int, size: int = 12) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def write_parquet(path, values, labels, names=None, sizes=1):
    """Square images, each of one grey level, which chooses one of so many sizes."""
    image = [{"bytes": encoded(v, 12 + v % sizes), "path": None} for v in values]
    table = pa.table({"image": image, "label": pa.array(labels, pa.int64())})
    if names:
        info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP",
    ".gif": "GIF", ".tif": "TIFF", ".avif": "AVIF", ".jp2": "JPEG2000", "": "PNG",
}  # fmt: skip


def image(file: Path, number: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, FORMATS[file.suffix.lower()])
    return file


HEIC_HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def heic_image(file: Path, number: int, size: tuple[int, int] = (8, 8)) -> Path:
    """An HEIC image; its first bytes alone where nothing here encodes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if "HEIF" not in with_heif(()):
        file.write_bytes(HEIC_HEADER)
        return file
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "HEIF", quality=-1)
    return file


def images(folder: Path, count: int, suffix: str = ".png") -> list[Path]:
    return [
        image(folder / f"{folder.name}{i}{suffix}", zlib.crc32(str(folder / str(i)).encode())) for i in range(count)
    ]
