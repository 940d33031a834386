"""Summary of a prepared data set, known without opening its images."""

from typing import Self

from pydantic import Field, model_validator

from trainables.config import Frozen
from trainables.data.copies.copy_summary import CopySummary
from trainables.data.data_options import DataOptions
from trainables.data.finals_validation import FinalsValidation
from trainables.data.layouts.left_out_counts import LeftOutCount
from trainables.data.store.group_summary import GroupSummary


class DataSummary(Frozen):
    """A prepared data set: shapes, counts, statistics of its training split, and the folder of its store."""

    name: str
    """Source name, or the folder's name."""
    path: str
    """Folder of the uint8 store on this node."""
    origin: str
    """The option `--data`, from which another node prepares its own store."""
    options: DataOptions = DataOptions()
    """Options that it was read with; another node reads it with the same."""
    shared: str = ""
    """URL of a copy of the store, which other nodes download; empty if there is none."""
    classes: tuple[str, ...] = Field(min_length=2)
    """Class names, in label order."""
    channels: int = Field(ge=1)
    """1 for grey images, 3 for RGB."""
    height: int = Field(ge=1)
    """Stored height, in pixels; of whole images the largest shorter side."""
    width: int = Field(ge=1)
    """Stored width, in pixels; of whole images the largest shorter side, too."""
    aspect_kept: bool = False
    """Whether images are stored whole, at sizes of their own; else all are `height` x `width`."""
    train: int = Field(ge=1)
    """Images in the training split."""
    val: int = Field(ge=1)
    """Images in the validation split."""
    counts: tuple[int, ...] = ()
    """Training images of each class, in label order; empty if they were not counted."""
    test: int = Field(ge=1)
    """Images in the locked test split."""
    mean: tuple[float, ...]
    """Mean of each channel over the training split, from 0 to 1."""
    std: tuple[float, ...]
    """Standard deviation of each channel over the training split, from 0 to 1."""
    split: str
    """How the splits were made, in words."""
    split_seed: int
    """Seed of the drawn splits; it belongs to the data, so that all searches share one test split."""
    finals: FinalsValidation = FinalsValidation()
    """Validation images of the finals; a search that is resumed keeps them."""
    leaked: int
    """Images of val or test whose pixels also occur, byte for byte, in an earlier split (`leaked-images.csv`)."""
    copies: CopySummary | None = None
    """Copies of images in two splits, and which of them were left out; None of an earlier version, which kept all."""
    skipped: int = Field(0, ge=0)
    """Images left out because they are bad (`bad-images.csv`)."""
    split_sources: dict[str, str] = Field(default_factory=dict)
    """Folder, files or arrays of each split of the source; empty for sets known by name."""
    left_out: tuple[LeftOutCount, ...] = ()
    """Files of the source that are not used (`left-out.csv`), by reason and kind."""
    absent: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Classes without images in val or test; only splits that lack some."""
    grouping: GroupSummary | None = None
    """Groups of images, and those in two splits; None where the source has no groups."""
    fingerprint: str
    """BLAKE2 hash of all stored pixels, labels, groups, weights and class names."""

    @model_validator(mode="after")
    def _each_class(self) -> Self:
        """Check that all classes are counted, or none."""
        if len(self.counts) not in {0, len(self.classes)}:
            raise ValueError(f"counts: {len(self.counts):,} for {len(self.classes):,} classes")
        return self

    @property
    def options_to_repeat(self) -> DataOptions:
        """Options that give the same images again: bad ones are skipped where they were, copies kept likewise."""
        kept = self.options.keep_copies or self.copies is None
        return self.options.model_copy(update={"on_bad_image": "skip" if self.skipped else "fail", "keep_copies": kept})

    @property
    def imbalance(self) -> float:
        """Training images of the largest class divided by those of the smallest; 1 if they were not counted."""
        return max(self.counts, default=1) / max(1, min(self.counts, default=1))

    @property
    def fit_matters(self) -> bool:
        """Whether images become squares in a way that is chosen: they differ in size, or all have one that is none."""
        return self.aspect_kept or (self.options.keep_aspect and self.height != self.width)

    @property
    def side(self) -> int:
        """The longer stored side, in pixels."""
        return max(self.height, self.width)

    @property
    def growth(self) -> float:
        """Images in training and validation together, divided by those in training."""
        return (self.train + self.val) / self.train
