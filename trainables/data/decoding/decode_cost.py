"""The cost of decoding an image, computed from its header: pixels and bytes of memory."""

from dataclasses import dataclass

from PIL import Image as Pillow

from trainables.data.decoding.heif import HEIF_FORMAT

FILL, START, END, SCAN = 0xFF, 0xD8, 0xD9, 0xDA
MARKERS_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, START + 1)}
"""Bytes that follow 0xFF without a length: a stuffed zero, restart markers, the start of the image."""


def count_scans(content: bytes) -> int:
    """Number of scans of the first picture in `content`, without thumbnails; may be too high if it is below 20."""
    if content.count(bytes((FILL, SCAN))) < 20:  # nearly all files; an exact count could only be lower
        return content.count(bytes((FILL, SCAN)))
    return count_scans_exactly(content)


def count_scans_exactly(content: bytes) -> int:
    """Exact number of scans, which takes some milliseconds for each 10 MB."""
    at, scans = 0, 0
    while 0 <= (at := content.find(FILL, at)) < len(content) - 3 and content[at + 1] != END:
        marker = content[at + 1]
        if marker == FILL:
            at += 1
        elif marker in MARKERS_WITHOUT_LENGTH:
            at += 2
        else:
            scans += marker == SCAN
            at += 2 + max(2, int.from_bytes(content[at + 2 : at + 4]))
    return scans


REDUCED_FROM = 16_000_000
"""Pixels from which a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which its decoder does cheaply."""
REDUCED_MARGIN = 4
"""Minimum side of a reduced JPEG as a multiple of the stored side, so that the reduction is not visible."""
JPEG_FORMATS = {"JPEG", "MPO"}
JPEG_BYTES, SCAN_BYTES = 13, 8
"""Bytes for each decoded pixel of a JPEG, and for each full-size pixel if it has several scans."""
FORMAT_BYTES = {"WEBP": 28, "JPEG2000": 28, "AVIF": 28, HEIF_FORMAT: 28}
OTHER_BYTES = 18
"""Bytes for each pixel of other formats. All of these are above the figures measured for every kind of image in
`tests/helpers/images/image_kinds.py`: buffers of the decoder, the picture, and its converted and upright copies."""
CONTAINERS = frozenset({"AVIF", HEIF_FORMAT})
"""Formats whose frames may be larger than their container says."""
TILE_WIDTH, TILE_LENGTH = 322, 323
"""TIFF tags of the tile size; tiles may be larger than the picture."""


@dataclass(frozen=True)
class DecodeCost:
    """Resources that decoding one image takes."""

    pixels: int
    """Decoded pixels; of a JPEG, after it was reduced."""
    memory: int
    """Upper bound of memory, in bytes."""
    exclusive: bool = False
    """Whether the header may understate the memory, so that no other image should be decoded at the same time."""


def plan_decode(picture: Pillow.Image, content: bytes, side: int) -> DecodeCost:
    """Set up a large JPEG to be decoded at a fraction of its size, for a stored side in pixels; returns the cost."""
    full = picture.width * picture.height
    if picture.format in JPEG_FORMATS:
        large = full > REDUCED_FROM
        scans = count_scans_exactly(content) if large else count_scans(content)  # the quick count may be too high
        if large:
            picture.draft(None, (REDUCED_MARGIN * side, REDUCED_MARGIN * side))
        pixels = picture.width * picture.height
        # With several scans, the whole picture is buffered until the last one.
        buffered = full if scans > 1 or is_progressive(picture) else 0
        return DecodeCost(max(pixels, buffered), JPEG_BYTES * pixels + SCAN_BYTES * buffered)
    if picture.format == "TIFF":
        tags = getattr(picture, "tag_v2", {})
        full = max(full, _length(tags.get(TILE_WIDTH)) * _length(tags.get(TILE_LENGTH)))
    return DecodeCost(
        full,
        FORMAT_BYTES.get(picture.format or "", OTHER_BYTES) * full,
        exclusive=picture.format in CONTAINERS,
    )


def is_progressive(picture: Pillow.Image) -> bool:
    """Whether a JPEG's header says that it is progressive; others may have several scans, too."""
    return bool(picture.info.get("progressive"))


def max_decode_memory(pixels: int) -> int:
    """Upper bound of memory, in bytes, for decoding so many pixels in any format."""
    return pixels * max(JPEG_BYTES + SCAN_BYTES, OTHER_BYTES, *FORMAT_BYTES.values())


def _length(value: object) -> int:
    """The number in a TIFF tag; 0 for a damaged tag, which the decoder refuses."""
    return value if isinstance(value, int) else 0
