"""Recognises data sets for detection and segmentation, whose labels are of objects within images."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.never_data import is_hidden

FILES_LOOKED_AT = 200
"""Number of names in a folder that are looked at."""
YOLO_RECORDS = frozenset({"data.yaml", "dataset.yaml", "obj.names", "obj.data", "darknet.labels", "_darknet.labels"})
LABEL_FOLDERS = frozenset({"labels", "annotations", "annots", "annotation", "xmls", "bbox"})


def describe_detection(level: FolderLevel) -> str:
    """A clause that says which labels of objects a data set has, with a remedy; empty if there are none known."""
    found = next(_find_labels(level), None)
    if not found:
        return ""
    kind, file = found
    return (
        f"{str(file.relative_to(level.root))!r} has {kind} labels of objects within images, which are for detection: "
        "here each image as a whole has one class; sort the images, or crops of the objects, into class folders "
        "(Roboflow exports them so as 'Folder Structure'); "
    )


def _find_labels(level: FolderLevel) -> Iterator[tuple[str, Path]]:
    """Kind and file of labels beside the images, in folders of labels beside them, or above."""
    places = [place for place in (level.path, *level.path.parents) if place.is_relative_to(level.root)]
    for place in places:
        names = _names(place)
        yield from _labels_in(place, beside_images=place == level.path)
        folders = [place / name for name in names if name.casefold() in LABEL_FOLDERS and (place / name).is_dir()]
        for folder in folders:
            for inner in (folder, *(folder / name for name in _names(folder) if (folder / name).is_dir())):
                yield from _labels_in(inner, beside_images=True)
        yield from (("YOLO", place / name) for name in names if name.casefold() in YOLO_RECORDS)


def _labels_in(folder: Path, beside_images: bool) -> Iterator[tuple[str, Path]]:
    for name in _names(folder):
        file, lower = folder / name, name.casefold()
        if lower.endswith(".json") and ("coco" in lower or lower.startswith(("instances_", "annotations"))):
            yield "COCO", file
        if beside_images and lower.endswith(".xml") and _begins(file, b"<annotation"):
            yield "Pascal VOC", file
        if beside_images and lower.endswith(".txt") and _is_yolo_line(_head(file)):
            yield "YOLO", file


def _names(folder: Path) -> list[str]:
    return sorted(child.name for child in islice(folder.iterdir(), FILES_LOOKED_AT) if not is_hidden(child.name))


def _head(file: Path) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as opened:
        return opened.read(200)


def _begins(file: Path, start: bytes) -> bool:
    return start in _head(file).lower()


def _is_yolo_line(head: bytes) -> bool:
    """Whether text begins with a class's number and at least four shares of the image's sides."""
    words = head.split(b"\n")[0].split()
    try:
        number, *shares = map(float, words)
    except ValueError:
        return False
    return len(shares) >= 4 and number >= 0 and number.is_integer() and all(0 <= share <= 1 for share in shares)
