"""Detects what a file holds, by its suffix, or by its first bytes if the suffix is unknown."""

import os
from enum import StrEnum
from pathlib import Path

from trainables.data.decoding.heif import HEIF_BRANDS, HEIF_SUFFIXES, INSTALL_HEIF, is_heif_decoded


class FileKind(StrEnum):
    """What a file holds."""

    IMAGE = "image"
    """An image in a format that is decoded."""
    UNDECODED_SUFFIXES = "undecoded"
    """An image in a format that is not decoded."""
    HEIF = "heif"
    """An HEIC or HEIF image where the extra that decodes these is not installed."""
    VIDEO = "video"
    """A video."""
    OTHER = "other"
    """Anything else."""


IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib",
    ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif",
    ".avifs",
})  # fmt: skip
"""Suffixes, in lower case, of formats that are decoded (`trainables.data.decoding.decode.FORMATS`)."""
UNDECODED = frozenset({
    ".jxl", ".jxr", ".wdp", ".qoi", ".bpg", ".flif", ".psd", ".psb", ".xcf", ".svg",
    ".svgz", ".eps", ".ai", ".ico", ".cur", ".icns", ".tga", ".pcx", ".dds", ".exr", ".hdr", ".pfm", ".sgi", ".rgb",
    ".xbm", ".xpm", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf",
    ".pef", ".raw", ".rwl", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".mrw", ".iiq", ".dcm", ".dicom", ".nii", ".nrrd",
    ".mha", ".mhd", ".fits", ".fit", ".fts", ".svs", ".ndpi", ".czi", ".lif", ".nd2", ".npy", ".npz",
})  # fmt: skip
"""Suffixes of image formats that are not decoded."""
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts",
})  # fmt: skip
"""Suffixes of videos."""
OTHER_SUFFIXES = frozenset({
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".htm", ".py", ".ipynb", ".sh",
    ".log", ".ini", ".cfg", ".toml", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".zip", ".tar", ".gz", ".tgz", ".7z",
    ".rar", ".mat", ".pkl", ".h5", ".hdf5", ".parquet", ".db", ".sqlite", ".pt", ".pth", ".onnx", ".names", ".data",
})  # fmt: skip
"""Suffixes of other files, which are not opened."""
PICTURES = frozenset({FileKind.IMAGE, FileKind.HEIF, FileKind.UNDECODED_SUFFIXES})
"""Kinds of files that are images, decoded or not."""
HEAD_BYTES = 64
"""Number of first bytes by which the kind of a file is detected."""
LFS_POINTER = b"version https://git-lfs"
"""First bytes of a Git LFS pointer file."""
_DECODED_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip
_UNDECODED_STARTS = {
    b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"8BPS": "Photoshop", b"<svg": "SVG", b"qoif": "QOI",
}  # fmt: skip


def kind_by_name(name: str) -> FileKind | None:
    """Kind of a file by its suffix, in any case; None if the suffix is unknown."""
    suffix = os.path.splitext(name)[1].lower()  # faster than pathlib, for very many names
    if suffix in IMAGE_SUFFIXES:
        return FileKind.IMAGE
    if suffix in HEIF_SUFFIXES:
        return _heif_kind()
    if suffix in UNDECODED:
        return FileKind.UNDECODED_SUFFIXES
    if suffix in VIDEO_SUFFIXES:
        return FileKind.VIDEO
    return FileKind.OTHER if suffix in OTHER_SUFFIXES else None


def kind_of(file: Path) -> FileKind:
    """Kind of a file by its suffix, else by its first bytes; `OTHER` if it cannot be read."""
    return kind_by_name(file.name) or kind_by_content(read_head(file))


def read_head(file: Path) -> bytes:
    """First bytes of a regular file; empty for other kinds, or if it cannot be read."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError:
        return b""


def kind_by_content(head: bytes) -> FileKind:
    """Kind of a file that begins with `head`."""
    if head.startswith(_DECODED_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return FileKind.IMAGE
    if head[:2] == b"BM" and head[14:18] in {bytes((size, 0, 0, 0)) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return FileKind.IMAGE
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in {b"\n", b" ", b"\t", b"\r"}:
        return FileKind.IMAGE
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        return (
            FileKind.IMAGE if brands & {b"avif", b"avis"} else _heif_kind() if brands & HEIF_BRANDS else FileKind.VIDEO
        )
    return FileKind.UNDECODED_SUFFIXES if head.startswith(tuple(_UNDECODED_STARTS)) else FileKind.OTHER


def describe_content(head: bytes) -> str:
    """What a file that should be an image holds instead, by its first bytes, with a remedy; empty if unknown."""
    if head.startswith(LFS_POINTER):
        return "a Git LFS pointer, not the image itself; `git lfs pull` fetches it"
    if head.lstrip()[:9].lower() == b"<!doctype" or head.lstrip()[:5].lower() == b"<html":
        return "a web page, not an image"
    if kind_by_content(head) == FileKind.VIDEO:
        return "a video, not an image"
    if kind_by_content(head) == FileKind.HEIF:
        return f"HEIC, which is not decoded here; {INSTALL_HEIF}, or convert it to JPEG"
    found = next((name for start, name in _UNDECODED_STARTS.items() if head.startswith(start)), "")
    return f"{found}, which is not decoded; convert it to JPEG or PNG" if found else ""


def _heif_kind() -> FileKind:
    return FileKind.IMAGE if is_heif_decoded() else FileKind.HEIF


def _brands(head: bytes) -> set[bytes]:
    """Main and compatible brands of an ISO base media file (ISO/IEC 14496-12, `ftyp`)."""
    end = min(len(head), int.from_bytes(head[:4]))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
