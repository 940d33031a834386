"""Sets of frozen features: which there are, what each depends on, and where it is on disk."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.augmentation.augmentation_registry import ImageViews, image_views
from trainables.config import Frozen, TrialConfig
from trainables.data.store.file_digests import find_damage
from trainables.data.store.store import Store
from trainables.export.model_info import InputSpec
from trainables.models.model_registry import is_pretrained
from trainables.storage.cache import cache_folder, read_cached

Features = NDArray[np.float32]
"""Features (images, features) of train, then val, most often memory-mapped."""


class View(StrEnum):
    """What of an image the backbone sees."""

    PLAIN = "plain"
    """The image as the network's preprocessing gives it."""
    MIRRORED = "mirrored"
    """The mirror image of that."""


class Backbone(Frozen):
    """Description of a frozen backbone whose features are on disk, so that a trial does not load the backbone."""

    spec: InputSpec
    """Input of the backbone."""
    features: int
    """Numbers an image."""
    parameters: int
    """Parameters of the backbone."""


@dataclass(frozen=True)
class FeatureSet:
    """The files of one set, below the fingerprint of the images: a store that is built again uses them, too."""

    record: Path
    """The file of its `Backbone`."""

    @classmethod
    def of(cls, config: TrialConfig, store: Store, view: View, runtime: str) -> "FeatureSet":
        """The set of a backbone, its input, what it sees of each image, and what computes it in which precision."""
        fit = f"-{config.fit}" if store.summary.fit_matters else ""
        name = f"{config.model.replace('/', '-')}-{config.input_size or 'auto'}{fit}-{view}-{runtime}"
        return cls(cache_folder() / "features" / store.summary.fingerprint / (name + ".json"))

    @property
    def array(self) -> Path:
        """The file of its features."""
        return self.record.with_suffix(".npy")

    @property
    def digests(self) -> Path:
        """The file of the digests of both, written last: it says that the set is whole."""
        return self.record.with_suffix(".contents.json")

    @property
    def chunks(self) -> Path:
        """Folder of the chunks that are there while it is being computed."""
        return self.record.with_suffix(".chunks")

    @property
    def lock(self) -> Path:
        """Held by the process that joins the chunks."""
        return self.record.with_suffix(".npy.lock")

    def read_backbone(self) -> Backbone | None:
        """The backbone, if the set is whole and undamaged; else None."""
        found = read_cached(self.record, Backbone)
        return found if found is not None and not find_damage(self.record.parent, self.digests.name) else None


def learns_from_features(config: TrialConfig) -> bool:
    """Whether the backbone is frozen and sees each image as it is stored, without augmentation, in every epoch."""
    stored = image_views(config) is ImageViews.STORED and not config.tta
    return config.freeze == "all" and is_pretrained(config.model) and stored


def wanted_views(config: TrialConfig) -> tuple[View, ...]:
    """Views of each image that a closed-form head is fitted to."""
    return (View.PLAIN, View.MIRRORED) if config.tta else (View.PLAIN,)
