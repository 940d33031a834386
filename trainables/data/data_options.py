"""Options of reading a data set: which columns, folders and images are used, and how images are stored."""

from typing import Any

from pydantic import Field

from trainables.config import Frozen
from trainables.data.decoding.bad_images import OnBadImage
from trainables.data.decoding.decode_limits import MAX_PIXELS


class DataOptions(Frozen):
    """How to read what `--data` names; the same options give the same images, classes and splits on every node."""

    data_source: str = ""
    """Data source of the user's own that opens the data, by its name; empty: the one that recognises them."""
    on_bad_image: OnBadImage = "fail"
    """Whether a bad image is an error, or is left out, counted and listed."""
    image_column: str = ""
    """Column of a table with images or their paths; empty: the only one that can be."""
    label_column: str = ""
    """Column of a table with labels; empty: the only one that can be."""
    split_column: str = ""
    """Column of a table with the split of each image: train, val or test; empty: the only one that is named so
    and says so."""
    group_column: str = ""
    """Column of a table with the group of each image; a group stays in one split. Empty: none."""
    weight_column: str = ""
    """Column of a table with the weight of each image, at least 0; empty: 1 for all."""
    root: str = ""
    """Folder or URL that a table's relative paths start from; empty: the table's own folder."""
    group_by: str = ""
    """Regular expression that finds an image's group in its path in the data folder, by its first group of
    parentheses or else as a whole; empty: no groups."""
    follow_links: bool = False
    """Whether symbolic links may lead out of the data folder."""
    keep_copies: bool = False
    """Whether training keeps images of which a held-out split has a copy or near-copy."""
    max_pixels: int = Field(MAX_PIXELS, ge=1)
    """Most pixels of an image; one with more is bad."""
    store_side: int = Field(0, ge=0, le=4096)
    """Shorter side of stored images, in pixels, at most; 0: `STORED_SIDE`, or as models need."""
    keep_aspect: bool = False
    """Whether images of different sizes are stored whole; else they are cut to their centre square, as those of
    searches without this field are."""

    @property
    def key(self) -> dict[str, Any]:
        """The options that change what is decoded, as far as they are given."""
        return self.model_dump(exclude={"on_bad_image", "keep_copies"}, exclude_defaults=True)
