"""Made photographs: pictures with structure at all scales, and what people do to their copies."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance


def photograph(seed: int, side: int = 96) -> Image.Image:
    """Noise with the spectrum of photographs, in colour."""
    rng = np.random.default_rng(seed)
    distance = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    falloff = 1 / np.maximum(distance, 1 / side) ** 1.2
    bands = []
    for _ in range(3):
        noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * falloff, s=(side, side))
        bands.append(noise)
    mixed = np.stack([bands[0], bands[0] + 0.4 * bands[1], bands[0] + 0.4 * bands[2]], axis=2)
    scaled = 128 + 50 * (mixed - mixed.mean()) / mixed.std()
    return Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture, encoded and decoded."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return Image.open(content).convert("RGB")


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """The picture without a margin, so that this share of each side is lost."""
    width, height = (round(length * share / 2) for length in picture.size)
    return picture.crop((width, height, picture.width - width, picture.height - height))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded": lambda picture: as_jpeg(picture, 40),
    "half size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "cropped": lambda picture: cropped(picture, 0.03),
    "turned": lambda picture: picture.rotate(1),
}
"""What makes near copies of a picture."""


def as_stored(picture: Image.Image, side: int = 96) -> np.ndarray:
    """The picture as a store has it, channels x height x width."""
    return np.ascontiguousarray(np.asarray(picture.resize((side, side))).transpose(2, 0, 1))
