"""The class of each image of a folder without class folders, from the file that comes with known data sets."""

from dataclasses import dataclass
from pathlib import Path

from trainables.common.escaping import decodable
from trainables.data.layouts.annotations import imagenet, one_hot_table
from trainables.data.layouts.annotations.named_labels import NamedLabels
from trainables.data.layouts.left_out import LeftOut, LeftOutReason, leave_out_file
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.listing import FileListing, list_files

READERS = (one_hot_table.read_labels, *imagenet.READERS)
"""Functions that read the labels of the images in a folder, given all folders from there up to the data set's."""


@dataclass(frozen=True)
class AnnotatedImages:
    """The images of a folder, by the class that a file gives them."""

    listings: dict[str, FileListing]
    """Images of each class."""
    files: tuple[Path, ...]
    """Files that the labels were read from."""
    warnings: tuple[str, ...] = ()
    """Doubts about the labels, a line each."""
    left_out: tuple[LeftOut, ...] = ()
    """What of the folder is not used."""

    def file_name(self, root: Path) -> str:
        """Name of the file with the labels, relative to the data set's folder."""
        return decodable(str(self.files[0].relative_to(root)))


def find_labelled_images(level: FolderLevel) -> AnnotatedImages | None:
    """The labelled images of a folder without class folders; None if no known file labels any of them.

    Raises `UserError`, naming the file, for labels that cannot be read with certainty.
    """
    places = [place for place in (level.path, *level.path.parents) if place.is_relative_to(level.root)]
    images = list_files(level.path, level.root, level.follow_links)
    names = {file.name for file in images.images} | {Path(image.name).name for image in images.bad_images}
    for read in READERS:
        labels = read(places, names)
        if labels and any(labels.class_of(name) for name in names):
            return _sort_by_class(level, images, labels)
    return None


def _sort_by_class(level: FolderLevel, found: FileListing, labels: NamedLabels) -> AnnotatedImages:
    listings, left_out = dict[str, FileListing](), list(found.left_out)
    for file in found.images:
        if name := labels.class_of(file.name):
            listing = listings.setdefault(decodable(name), FileListing())
            listing.images.append(file)
            listing.linked.update({file} & found.linked)
        else:
            left_out.append(leave_out_file(file, LeftOutReason.NO_ROW))
    for image in found.bad_images:
        if name := labels.class_of(Path(image.name).name):
            listings.setdefault(decodable(name), FileListing()).bad_images.append(image)
        else:
            left_out.append(leave_out_file(Path(image.name), LeftOutReason.NO_ROW))
    others = (file for file in left_out if Path(file.path) not in labels.files)
    return AnnotatedImages(listings, labels.files, _find_missing(level, found, labels), tuple(others))


def _find_missing(level: FolderLevel, found: FileListing, labels: NamedLabels) -> tuple[str, ...]:
    """A warning about images that the labels name and that are not there."""
    there = {labels.key(Path(name).name) for name in (*map(str, found.images), *(bad.name for bad in found.bad_images))}
    lost = [name for name in labels.classes if name not in there]
    if not lost:
        return ()
    where = str(labels.files[0].relative_to(level.root))
    return (f"{where!r} labels {len(lost):,} images that are not in {level.name!r}, such as {lost[0]!r}",)
