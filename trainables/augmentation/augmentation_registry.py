"""The augmentations of training images, by the field of `TrialConfig` that each is switched on by.

Adding one is a function, an entry here and its field. The entry alone decides which random numbers it is given, where
it is searched, how the report describes it, and that images are no longer shown as they are stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from trainables.config import TrialConfig


@dataclass(frozen=True)
class Augmentation:
    """One way in which training images differ from the stored ones; the field's default is off."""

    description: str
    """What the report says of it, with `{}` for the field's value."""
    function: str = ""
    """`module:name` of what changes each image by itself: images (b, c, h, w), draws (b, columns), configuration ->
    images. Empty for one that mixes two images, which `mix` does by numbers that are drawn once a batch, for one that
    chooses the part of the stored image that is read (`trainables.data.loading.square_loaders`), and for one that
    chooses among cached views (`trainables.training.partial.cached_views`)."""
    draws: tuple[str, ...] = ()
    """Names of the uniform numbers that it needs for each image, besides `FIRST_DRAWS`; see `DRAW_COLUMNS`."""
    choices: tuple[Any, ...] = ()
    """Values to search, if they are a list."""
    low: float = 0.0
    """Smallest value to search, if they are a range; whole numbers if both ends are."""
    high: float = 0.0
    """Largest value to search."""
    in_default_space: bool = False
    """Whether the default space searches it."""
    own: Callable[..., Any] | None = None
    """Of one of the user's own, which `trainables.custom` registers: images, its own draws (b, k), value -> images.
    Its value is in `TrialConfig.custom`."""
    off: Any = None
    """Value of one of the user's own that switches it off; None for those that are built in."""

    @property
    def changes_pixels(self) -> bool:
        """Whether it changes each image by itself, after the image was read."""
        return bool(self.function) or self.off is not None

    def describe(self, value: Any) -> str:
        """What the report says of it at `value`, which a record may have of another type."""
        try:
            return self.description.format(value)
        except ValueError:
            return f"{self.description} {value}"


CROP_DRAWS = ("crop_area", "crop_aspect", "crop_top", "crop_left")
"""Draws of a random part of an image, as `SquareFit.locate_part` takes them."""
AUGMENTATIONS: dict[str, Augmentation] = {
    "crop_scale": Augmentation(
        "random parts of at least {:.3g} of the area", draws=CROP_DRAWS, choices=(1.0, 0.7, 0.35),
    ),
    "translate": Augmentation(
        "shifts of up to {} pixels", "trainables.augmentation.pixel_augmentations:translate",
        draws=("translate_x", "translate_y"), low=0, high=4,
    ),
    "flip": Augmentation(
        "{} flips", "trainables.augmentation.pixel_augmentations:mirror",
        choices=("none", "random", "alternating"), in_default_space=True,
    ),
    "augment_strength": Augmentation(
        "strength {:.3g} of 1", "trainables.augmentation.pixel_augmentations:distort",
        low=0.0, high=0.8, in_default_space=True,
    ),
    "cached_views": Augmentation("{} cached random views", draws=("view",), low=0, high=4),
    "mixup": Augmentation("mixup {:.3g} (not shown)", choices=(0.0, 0.2), in_default_space=True),
    "cutmix": Augmentation("cutmix {:.3g} (not shown)", choices=(0.0, 1.0), in_default_space=True),
}  # fmt: skip
"""In the order in which they are applied, and searched."""

FIRST_DRAWS = (
    "angle", "zoom", "shift_x", "shift_y", "shear", "mirror", "brightness", "contrast", "saturation",
    "erase_area", "erase_y", "erase_x", "erase",
)  # fmt: skip
"""Uniform numbers that are drawn for each image in one stream, in this order: so the same seed gives the same images in
every version. What an augmentation draws besides comes from a stream of its own."""
OWN_DRAWS = {name: entry.draws for name, entry in AUGMENTATIONS.items() if entry.draws}
"""What each augmentation draws besides, by its name."""
DRAW_COLUMNS = {name: i for i, name in enumerate([*FIRST_DRAWS, *(name for own in OWN_DRAWS.values() for name in own)])}
"""Column of each number in an array of draws (images, columns), by its name."""


class ImageViews(Enum):
    """What an epoch shows of an image."""

    STORED = "the image as it is stored"
    MIRRORED = "the image as it is stored, or its mirror image"
    RANDOM = "another version each time"


def augmentation_value(config: TrialConfig, name: str) -> Any:
    """Value that `config` has for the augmentation `name`."""
    off = AUGMENTATIONS[name].off
    return getattr(config, name) if off is None else config.custom.get(name, off)


def off_value(name: str) -> Any:
    """Value that switches an augmentation off."""
    off = AUGMENTATIONS[name].off
    return TrialConfig.model_fields[name].default if off is None else off


@lru_cache(maxsize=64)
def active_augmentations(config: TrialConfig) -> tuple[str, ...]:
    """Names of the augmentations that `config` has switched on."""
    return tuple(name for name in AUGMENTATIONS if augmentation_value(config, name) != off_value(name))


@lru_cache(maxsize=64)
def pixel_augmentations(config: TrialConfig) -> tuple[str, ...]:
    """Those among them that change each image by itself."""
    return tuple(name for name in active_augmentations(config) if AUGMENTATIONS[name].changes_pixels)


def register_augmentation(name: str, entry: Augmentation) -> None:
    """Add one of the user's own; its draws follow those of all others, in a stream of its own."""
    AUGMENTATIONS[name] = entry
    _own_changed()


def remove_augmentation(name: str) -> None:
    """Take one of the user's own away."""
    AUGMENTATIONS.pop(name, None)
    _own_changed()


def own_augmentations() -> dict[str, Augmentation]:
    """Those of the user's own whose code this process has, by their names."""
    return {name: entry for name, entry in AUGMENTATIONS.items() if entry.own is not None}


def _own_changed() -> None:
    for name in [name for name in OWN_DRAWS if name not in AUGMENTATIONS]:
        del OWN_DRAWS[name]
    OWN_DRAWS.update({name: entry.draws for name, entry in own_augmentations().items() if entry.draws})
    columns = [*FIRST_DRAWS, *(draw for own in OWN_DRAWS.values() for draw in own)]
    DRAW_COLUMNS.clear()
    DRAW_COLUMNS.update({draw: index for index, draw in enumerate(columns)})
    active_augmentations.cache_clear()
    pixel_augmentations.cache_clear()


def image_views(config: TrialConfig) -> ImageViews:
    """What an epoch shows of an image under `config`."""
    active = active_augmentations(config)
    if not active:
        return ImageViews.STORED
    return ImageViews.MIRRORED if active == ("flip",) else ImageViews.RANDOM


def describe_augmentation(config: TrialConfig) -> str:
    """What `config` does to training images, for the report."""
    active = [
        entry.describe(augmentation_value(config, name))
        for name, entry in AUGMENTATIONS.items()
        if name in active_augmentations(config)
    ]
    return f"augmentation of {', '.join(active)}" if active else "trained on images as they are, without augmentation"
