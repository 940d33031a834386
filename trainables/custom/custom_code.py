"""What a search needs of the user's own code: the parts that are named, and the text of their files."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from trainables.config import Frozen

CustomKind = Literal["model", "metric", "augmentation", "source", "space"]
"""What a part is."""
PREFIX = "custom/"
"""What the names of own parts begin with, in configurations, boards and records."""


def _check_path(path: str) -> str:
    """`path` if it is one of a Python file below a source tree; raises ValueError for any other."""
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0].startswith("/") or ".." in parts or not path.endswith(".py") or "\0" in path:
        raise ValueError("is no path of a Python file in a source tree")
    return path


NAME_PATTERN = rf"^{PREFIX}\w+(\.\w+)?$"
"""What such names are; those of a record may be others' writing, and replace no built-in ones."""


def _check_line(text: str) -> str:
    """`text` if all of it can be printed; raises ValueError otherwise."""
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_check_line)]
"""A line of text that may be others' writing."""


class CustomPart(Frozen):
    """One function, or object, of the user's code."""

    kind: CustomKind
    """What it is."""
    name: str = Field(max_length=200, pattern=NAME_PATTERN)
    """Its name in configurations, boards and records, such as `custom/my_net.build`."""
    reference: str
    """As it was named, its file's path absolute: `/home/me/my_net.py:build`, or `package.module:build`."""
    file: Annotated[str, AfterValidator(_check_path)]
    """Its file among those of `CustomCode`."""
    attribute: str
    """Its name in that file."""
    description: dict[str, Any] = Field(default_factory=dict)
    """All that commands need of it which run none of its code, such as a metric's label and bounds."""

    @property
    def tree(self) -> str:
        """Name of the source tree that its file is in."""
        return self.file.partition("/")[0]


class CustomCode(Frozen):
    """All parts of a search, and their source: small, plain text, sent to every process that runs them."""

    parts: tuple[CustomPart, ...] = ()
    """The parts."""
    files: dict[Annotated[str, AfterValidator(_check_path)], str] = Field(default_factory=dict)
    """Text of each file by its path: a source tree's name, then the path below the folder that its modules are found
    in. Parts of one folder share a tree."""

    def __bool__(self) -> bool:
        """Whether there is any part."""
        return bool(self.parts)

    def of_kind(self, kind: CustomKind) -> tuple[CustomPart, ...]:
        """The parts of one kind."""
        return tuple(part for part in self.parts if part.kind == kind)

    def sources(self, part: CustomPart) -> dict[str, str]:
        """Text of the files of a part's source tree, by their paths in it."""
        head = f"{part.tree}/"
        return {path.removeprefix(head): text for path, text in self.files.items() if path.startswith(head)}

    def digest_of(self, part: CustomPart) -> str:
        """Digest of what a part is: its source tree, its file and its name there."""
        return digest([self.sources(part), part.file.removeprefix(f"{part.tree}/"), part.attribute])

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its path."""
        return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sorted(self.files.items())}


def digest(content: Any) -> str:
    """SHA-256 of plain content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_custom(name: str) -> bool:
    """Whether a name is that of a part of the user's own."""
    return name.startswith(PREFIX)
