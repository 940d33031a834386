"""What a file is, by its name, or by its first bytes where the name does not say."""

import os
from enum import StrEnum
from pathlib import Path


class FileKind(StrEnum):
    """What a file holds."""

    IMAGE = "image"
    """An image in a format that is decoded."""
    UNDECODED_SUFFIXES = "undecoded"
    """An image in a format that is not decoded."""
    VIDEO = "video"
    """A video."""
    OTHER = "other"
    """Anything else."""


IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib",
    ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif",
    ".avifs",
})  # fmt: skip
"""Of the formats that are decoded (`trainables.data.decoding.decode.FORMATS`), in lower case."""
UNDECODED = frozenset({
    ".heic", ".heif", ".hif", ".heics", ".jxl", ".jxr", ".wdp", ".qoi", ".bpg", ".flif", ".psd", ".psb", ".xcf", ".svg",
    ".svgz", ".eps", ".ai", ".ico", ".cur", ".icns", ".tga", ".pcx", ".dds", ".exr", ".hdr", ".pfm", ".sgi", ".rgb",
    ".xbm", ".xpm", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf",
    ".pef", ".raw", ".rwl", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".mrw", ".iiq", ".dcm", ".dicom", ".nii", ".nrrd",
    ".mha", ".mhd", ".fits", ".fit", ".fts", ".svs", ".ndpi", ".czi", ".lif", ".nd2", ".npy", ".npz",
})  # fmt: skip
"""Of images whose format is not decoded here."""
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts",
})  # fmt: skip
"""Of videos."""
OTHER_SUFFIXES = frozenset({
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".htm", ".py", ".ipynb", ".sh",
    ".log", ".ini", ".cfg", ".toml", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".zip", ".tar", ".gz", ".tgz", ".7z",
    ".rar", ".mat", ".pkl", ".h5", ".hdf5", ".parquet", ".db", ".sqlite", ".pt", ".pth", ".onnx", ".names", ".data",
})  # fmt: skip
"""Of what is no image; not looked into."""
HEAD_BYTES = 64
"""First bytes of a file that say what it is."""
LFS_POINTER = b"version https://git-lfs"
"""How a file begins that stands for one in Git LFS."""
_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_DECODED_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip
_UNDECODED_STARTS = {
    b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"8BPS": "Photoshop", b"<svg": "SVG", b"qoif": "QOI",
}  # fmt: skip


def kind_by_name(name: str) -> FileKind | None:
    """What a file is by its suffix, in any case; None if that does not say."""
    suffix = os.path.splitext(name)[1].lower()  # of very many names, this is the fast one
    if suffix in IMAGE_SUFFIXES:
        return FileKind.IMAGE
    if suffix in UNDECODED:
        return FileKind.UNDECODED_SUFFIXES
    if suffix in VIDEO_SUFFIXES:
        return FileKind.VIDEO
    return FileKind.OTHER if suffix in OTHER_SUFFIXES else None


def kind_of(file: Path) -> FileKind:
    """What a file is: by its suffix, else by its first bytes; what cannot be read is `other`."""
    return kind_by_name(file.name) or kind_by_content(read_head(file))


def read_head(file: Path) -> bytes:
    """The first bytes of a regular file; none if it is no such, or cannot be read."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError:
        return b""


def kind_by_content(head: bytes) -> FileKind:
    """What a file is that begins with `head`."""
    if head.startswith(_DECODED_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return FileKind.IMAGE
    if head[:2] == b"BM" and head[14:18] in {bytes((size, 0, 0, 0)) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return FileKind.IMAGE
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in {b"\n", b" ", b"\t", b"\r"}:
        return FileKind.IMAGE
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        return (
            FileKind.IMAGE
            if brands & {b"avif", b"avis"}
            else FileKind.UNDECODED_SUFFIXES
            if brands & _HEIC
            else FileKind.VIDEO
        )
    return FileKind.UNDECODED_SUFFIXES if head.startswith(tuple(_UNDECODED_STARTS)) else FileKind.OTHER


def describe_content(head: bytes) -> str:
    """What a file is that begins with `head` and should be an image, and what to do; empty if it does not say."""
    if head.startswith(LFS_POINTER):
        return "a Git LFS pointer, not the image itself; `git lfs pull` fetches it"
    if head.lstrip()[:9].lower() == b"<!doctype" or head.lstrip()[:5].lower() == b"<html":
        return "a web page, not an image"
    if kind_by_content(head) == FileKind.VIDEO:
        return "a video, not an image"
    if head[4:8] == b"ftyp" and kind_by_content(head) == FileKind.UNDECODED_SUFFIXES:
        return "HEIC, which is not decoded; convert it to JPEG"
    found = next((name for start, name in _UNDECODED_STARTS.items() if head.startswith(start)), "")
    return f"{found}, which is not decoded; convert it to JPEG or PNG" if found else ""


def _brands(head: bytes) -> set[bytes]:
    """Main and compatible brands of an ISO base media file (ISO/IEC 14496-12, `ftyp`)."""
    end = min(len(head), int.from_bytes(head[:4]))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
