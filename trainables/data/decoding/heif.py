"""HEIC and HEIF images, which phones take: decoded where the extra `searchspace[heic]` is installed."""

import logging
from functools import cache
from importlib.util import find_spec

logger = logging.getLogger(__name__)

HEIF_FORMAT = "HEIF"
"""Pillow's name of the format."""
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif", ".heics", ".heifs"})
"""Suffixes of such images, in lower case."""
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
"""Brands of such files, of which AVIF files may also have the last two (ISO/IEC 23008-12)."""
INSTALL_HEIF = "pip install 'searchspace[heic]'"
"""Command that installs what decodes them."""


@cache
def is_heif_decoded() -> bool:
    """Whether HEIC and HEIF images are decoded here."""
    try:
        return find_spec("pillow_heif") is not None
    except ImportError:  # of an import hook that refuses it
        return False


@cache
def with_heif(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Formats that Pillow opens here: those given, and HEIF, of which the main image is read upright.

    The first call imports the decoder, which takes a tenth of a second.
    """
    if not is_heif_decoded():
        return formats
    try:
        import pillow_heif
    except ImportError as error:  # such as for lack of a system's library
        logger.warning("pillow-heif is installed, but cannot be imported (%s): HEIC images are not decoded", error)
        return formats
    # Images are decoded in parallel already; what else is in a file is not read.
    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    return (*formats, HEIF_FORMAT)
