"""References to code of the user's own, as the command line has them: `FILE.py:NAME` or `package.module:NAME`."""

import os
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from trainables.common.errors import UserError
from trainables.custom.custom_code import PREFIX

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class CodeReference:
    """Where a part's code is."""

    text: str
    """The reference with its file's path absolute."""
    file: Path
    """Its file."""
    root: Path
    """Folder in which its modules are found: its file's, or that of the outermost package which the file is part of."""
    attribute: str
    """What is meant in the file."""
    entry_point: str = ""
    """Name under which an installed package offers it; empty: it was named by its file or module."""

    @property
    def name(self) -> str:
        """Name of the part in configurations, boards and records."""
        if self.entry_point:
            return f"{PREFIX}{re.sub(r'[^A-Za-z0-9_]', '_', self.entry_point)}"
        stem = self.file.parent.name if self.file.name == "__init__.py" else self.file.stem
        return f"{PREFIX}{re.sub(r'[^A-Za-z0-9_]', '_', stem)}.{self.attribute}"

    @property
    def path(self) -> str:
        """Its file's path below the root."""
        return self.file.relative_to(self.root).as_posix()


def is_reference(name: str) -> bool:
    """Whether a name is a reference: names of what is built in have no colon."""
    return ":" in name


def parse_reference(option: str, text: str, expected: str = "FILE.py:NAME or package.module:NAME") -> CodeReference:
    """The code that `text` names, given with `option`; raises `UserError` unless its file exists and is one's own."""
    place, colon, attribute = text.rpartition(":")
    if not colon or not place or not attribute.isidentifier():
        raise UserError(f"{option} {text!r}: expected {expected}, an existing file and a function in it")
    if place.endswith(".py") or "/" in place:
        file = Path(os.path.abspath(os.path.expanduser(place)))
        if not file.is_file():
            raise UserError(f"{option} {text!r}: expected {expected}, an existing file and a function in it")
        return CodeReference(f"{file}:{attribute}", file, find_root(file), attribute)
    found = find_module(place)
    if found is None:
        raise UserError(f"{option} {text!r}: there is no module {place!r} here; give FILE.py:NAME, or install it")
    return CodeReference(text, found, find_root(found), attribute)


def absolute_reference(text: str) -> str:
    """A reference with its file's path absolute; anything else, also what names no file here, as it is."""
    place, colon, attribute = text.rpartition(":")
    is_path = colon and (place.endswith(".py") or "/" in place)
    return f"{os.path.abspath(os.path.expanduser(place))}:{attribute}" if is_path else text


def find_root(file: Path) -> Path:
    """Folder from which a file is imported: its own, or the one of the outermost package that it is part of."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def find_module(name: str) -> Path | None:
    """File of a module, in the working folder or installed, which is not imported; None where there is none."""
    if not MODULE.fullmatch(name):
        return None
    first, *rest = name.split(".")
    found = PathFinder.find_spec(first, [os.getcwd(), *sys.path])
    if found is None:
        return None
    if not rest:
        return Path(found.origin).absolute() if found.origin and found.origin.endswith(".py") else None
    for folder in found.submodule_search_locations or ():
        place = Path(folder).absolute().joinpath(*rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None
