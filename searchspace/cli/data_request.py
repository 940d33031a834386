"""What data a command reads, and how: the options that a search and `searchspace data` share."""

from typing import Annotated, Literal

from pydantic import Field

from searchspace.cli.options import Option
from searchspace.cli.values import Place
from trainables.config import Frozen
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import OnBadImage
from trainables.data.decoding.decode_limits import MAX_PIXELS
from trainables.data.sources.source_registry import describe_sources

DATA = "What to learn from"


KEEP_ASPECT = True
"""Whether a new search stores images of different sizes whole; one that is resumed stores them as it was begun."""


class DataRequest(Frozen):
    """A data set, and the options of reading it; fields besides `data` are those of `DataOptions`."""

    data: Annotated[
        Place, Option(DATA, kind=str, metavar="NAME", choices=[describe_sources()], is_path=True, common=True)
    ] = "digits"
    """{choices}."""
    data_source: Annotated[str, Option(DATA, metavar="FILE:NAME")] = ""
    """Your own reader of --data, FILE.py:NAME."""
    on_bad_image: Annotated[OnBadImage, Option(DATA, kind=str, metavar="fail|skip")] = "fail"
    """Unusable images: an error, or left out, listed."""
    image_column: Annotated[str, Option(DATA, metavar="NAME")] = ""
    """Column of images or their paths. Default: the one that can be."""
    label_column: Annotated[str, Option(DATA, metavar="NAME")] = ""
    """Column of labels. Default: the one that can be."""
    split_column: Annotated[str, Option(DATA, metavar="NAME")] = ""
    """Column with train, val or test."""
    group_column: Annotated[str, Option(DATA, metavar="NAME")] = ""
    """Column with groups, such as patients; each stays in one split."""
    weight_column: Annotated[str, Option(DATA, metavar="NAME")] = ""
    """Column with the weight of each image."""
    root: Annotated[Place | Literal[""], Option(DATA, kind=str, metavar="FOLDER", is_path=True)] = ""
    """Folder that a table's paths start from. Default: its own."""
    group_by: Annotated[str, Option(DATA, metavar="REGEX")] = ""
    """Finds each image's group in its path, such as a person."""
    follow_links: Annotated[bool, Option(DATA)] = False
    """Let links lead out of the data folder."""
    keep_copies: Annotated[bool, Option(DATA)] = False
    """Train on copies of held-out images, too."""
    max_pixels: Annotated[int, Option(DATA)] = Field(MAX_PIXELS, ge=1)
    """Most pixels of a usable image."""
    store_side: Annotated[int, Option(DATA)] = Field(0, ge=0, le=4096)
    """Most of a stored shorter side; 0: what suits."""

    @property
    def data_options(self) -> DataOptions:
        """The options of reading the data."""
        given = {name: getattr(self, name) for name in DataOptions.model_fields if name != "keep_aspect"}
        return DataOptions(**given, keep_aspect=KEEP_ASPECT)
