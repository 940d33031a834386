"""Numbers of images that occur in two splits, and of those that were left out for it."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from trainables.config import Frozen
from trainables.data.copies.leaked_images import LEAKED_IMAGES

KeptReason = Literal["", "asked", "published"]
"""Why copies stay where they are: an option asks for it, or the splits are those of a published set; empty: they go."""
NearSearch = Literal["done", "too small", "too alike"]
"""Whether near copies were looked for: they are not where images are too small, or too alike, for a perceptual hash."""
SPLIT_WORDS = {"train": "training", "val": "validation"}


class CopySummary(Frozen):
    """Images of val that are also in train, and of test that are also in either."""

    equal: int = Field(0, ge=0)
    """Held-out images with a copy of equal pixels in an earlier split."""
    near: int = Field(0, ge=0)
    """Other held-out images with a near copy there."""
    other_label: int = Field(0, ge=0)
    """Held-out images with a copy of equal pixels that has another class."""
    search: NearSearch = "done"
    """Whether near copies were looked for."""
    kept: KeptReason = ""
    """Why the copies stay."""
    leaving: dict[str, int] = Field(default_factory=dict)
    """Images of train and val that were left out, or would be if they were not kept; only splits that have some."""
    near_staying: int = Field(0, ge=0)
    """Held-out images with a near copy that stays in any case: it has another class, or there are too many."""
    too_many: bool = False
    """Whether near copies stay since they are a large share of a split."""

    @property
    def left_out(self) -> dict[str, int]:
        """Images that were left out of train and val."""
        return {} if self.kept else self.leaving

    @property
    def still_equal(self) -> int:
        """Held-out images with a copy of equal pixels that is still in an earlier split."""
        return self.equal if self.kept else 0

    @property
    def still_near(self) -> int:
        """Other held-out images with a near copy that is still in an earlier split."""
        return self.near if self.kept else self.near_staying

    def describe(self) -> list[str]:
        """A sentence on each thing to know, without a full stop; none where there is nothing."""
        return [*self._describe_copies(), *self._describe_search()]

    def _describe_copies(self) -> Iterator[str]:
        for split, count in self.left_out.items():
            images = f"{count:,} {SPLIT_WORDS[split]} image{'s' if count > 1 else ''}"
            yield f"{images} left out: copies of held-out images ({LEAKED_IMAGES}; --keep-copies keeps them)"
        if self.kept and (self.equal or self.near):
            why = "--keep-copies" if self.kept == "asked" else "the splits are those published"
            yield f"{self._describe_kept()} stay in an earlier split ({why}; {LEAKED_IMAGES})"
        elif self.near_staying:
            yield (
                f"near copies of {_count(self.near_staying)} stay in an earlier split, "
                f"{'so many that they may be one scene' if self.too_many else 'being of another class'} "
                f"({LEAKED_IMAGES})"
                + ("; --group-by keeps images of one scene or thing in one split" if self.too_many else "")
            )
        if self.other_label:
            yield f"equal copies of {_count(self.other_label)} have another class: one of both labels is wrong"

    def _describe_search(self) -> Iterator[str]:
        if self.search == "too alike":
            yield "near copies were not looked for: the images are too alike to tell them by a perceptual hash"

    def _describe_kept(self) -> str:
        found = {"equal": self.equal, "near": self.near}
        return " and ".join(f"{kind} copies of {_count(count)}" for kind, count in found.items() if count)


def _count(number: int) -> str:
    return f"{number:,} held-out image{'' if number == 1 else 's'}"
