"""What decoding a picture takes, by its header and before any of it is decoded: pixels, and bytes of memory."""

from dataclasses import dataclass

from PIL import Image as Pillow

FILL, START, END, SCAN = 0xFF, 0xD8, 0xD9, 0xDA
MARKERS_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, START + 1)}
"""What follows 0xFF without a length: a stuffed zero, restart marks, the start."""


def count_scans(content: bytes) -> int:
    """Scans of the first picture in `content`; those of thumbnails and of what follows the picture do not count."""
    if content.count(bytes((FILL, SCAN))) < 20:  # by far the most; looked at closely they can only be fewer
        return content.count(bytes((FILL, SCAN)))
    return count_scans_exactly(content)


def count_scans_exactly(content: bytes) -> int:
    """The same exactly, which takes some milliseconds for each 10 MB."""
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
"""Pixels from which on a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which its decoder does at little cost."""
REDUCED_MARGIN = 4
"""Times the wanted side that a reduced JPEG has at least, so that resizing it hides that it was reduced."""
JPEG_FORMATS = {"JPEG", "MPO"}
JPEG_BYTES, SCAN_BYTES = 13, 8
"""Bytes a pixel of a JPEG that is decoded, and a pixel of its full size besides where it has several scans."""
FORMAT_BYTES = {"WEBP": 28, "JPEG2000": 28, "AVIF": 28}
OTHER_BYTES = 18
"""Bytes a pixel of other formats. All of these are above what was measured for every kind of image in
`tests/helpers/images/image_kinds.py`: buffers of the decoder, the picture, and its copies in other modes and
upright."""
TILE_WIDTH, TILE_LENGTH = 322, 323
"""Tags of a TIFF, whose tiles may be larger than the picture."""


@dataclass(frozen=True)
class DecodeCost:
    """What decoding takes."""

    pixels: int
    """That are decoded: of a JPEG, after it was reduced."""
    memory: int
    """Bytes, at most."""
    exclusive: bool = False
    """Whether the header can promise less than the decoder takes, so that nothing else should be decoded meanwhile."""


def plan_decode(picture: Pillow.Image, content: bytes, side: int) -> DecodeCost:
    """Have a large JPEG decoded at a fraction of its size, for a wanted side in pixels; returns what it takes then."""
    full = picture.width * picture.height
    if picture.format in JPEG_FORMATS:
        large = full > REDUCED_FROM
        scans = count_scans_exactly(content) if large else count_scans(content)  # which may count too many
        if large:
            picture.draft(None, (REDUCED_MARGIN * side, REDUCED_MARGIN * side))
        pixels = picture.width * picture.height
        buffered = full if scans > 1 or is_progressive(picture) else 0  # all of it is held until the last scan
        return DecodeCost(max(pixels, buffered), JPEG_BYTES * pixels + SCAN_BYTES * buffered)
    if picture.format == "TIFF":
        tags = getattr(picture, "tag_v2", {})
        full = max(full, _length(tags.get(TILE_WIDTH)) * _length(tags.get(TILE_LENGTH)))
    # An AVIF's container says one size, and its frames may have another.
    return DecodeCost(
        full, FORMAT_BYTES.get(picture.format or "", OTHER_BYTES) * full, exclusive=picture.format == "AVIF"
    )


def is_progressive(picture: Pillow.Image) -> bool:
    """Whether a JPEG says that it comes in several scans; one that does not may still do."""
    return bool(picture.info.get("progressive"))


def max_decode_memory(pixels: int) -> int:
    """Bytes that decoding a picture of at most so many pixels takes, in whatever format."""
    return pixels * max(JPEG_BYTES + SCAN_BYTES, OTHER_BYTES, *FORMAT_BYTES.values())


def _length(value: object) -> int:
    """A tag's number; a damaged tag is 0, and the decoder's to refuse."""
    return value if isinstance(value, int) else 0
