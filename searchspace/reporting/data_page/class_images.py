"""Small images of each class for the page of a data set, chosen by a seed and decoded as a store would hold them."""

import base64
from collections.abc import Iterator

import numpy as np

from searchspace.reporting.html.blocks import Picture, Pictures
from trainables.common.escaping import printable
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.sources.source import RawSet
from trainables.data.thumbnails import MAX_SIDE, encode_png

MAX_IMAGES = 160
"""Most images on a page: some MB at most."""
IMAGES_A_CLASS = 8
"""Most images of a class."""
SMALL_SIDE = 64
"""Side below which pixels are shown as squares."""
SEED = 0
"""Seed of the choice, so that a page is the same each time."""
Place = tuple[str, int]
"""A part, and an image of it."""


def show_classes(raw: RawSet) -> Iterator[Pictures]:
    """Images of each class; of some classes, where a page cannot show all of them."""
    places = choose_images(raw)
    shown = dict(_decode(raw, sorted({place for chosen in places.values() for place in chosen})))
    for label, chosen in places.items():
        pictures = [shown[place] for place in chosen if place in shown]
        yield Pictures(pictures, printable(raw.classes[label]) or "''")


def choose_images(raw: RawSet) -> dict[int, list[Place]]:
    """Some images of each class, of all parts, by label."""
    generator = np.random.default_rng(SEED)
    count = len(raw.classes)
    labels = np.sort(generator.choice(count, min(count, MAX_IMAGES), replace=False)).tolist()
    each = min(IMAGES_A_CLASS, max(1, MAX_IMAGES // count))
    chosen = {}
    for label in labels:
        places = [(name, i) for name, part in raw.parts.items() for i in np.flatnonzero(part.labels == label).tolist()]
        picked = generator.choice(len(places), min(each, len(places)), replace=False)
        chosen[label] = [places[i] for i in np.sort(picked).tolist()]
    return chosen


def _decode(raw: RawSet, places: list[Place]) -> Iterator[tuple[Place, Picture]]:
    """Pictures of the images, read in order; one that cannot be decoded says so."""
    for part, row in places:
        name = raw.parts[part].path or raw.parts[part].name
        try:
            image = np.moveaxis(raw.parts[part].decode(row), -1, 0)
        except BadImageError as error:
            yield (part, row), Picture("data:,", (printable(name(row)), error.image.reason))
            continue
        source = f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"
        yield (part, row), Picture(source, (printable(name(row)), part), max(image.shape) < min(SMALL_SIDE, MAX_SIDE))
