"""References to code that is given as an object: `FILE.py:NAME` or `package.module:NAME`, as options take them."""

import ast
import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from searchspace.api.definitions import main_module
from searchspace.api.importable import find_home
from searchspace.api.source_extraction import SourceExtraction
from trainables.custom.reference import CodeReference, find_module, find_root
from trainables.custom.source_files import PROVIDED, read_sources
from trainables.storage.cache import cache_folder
from trainables.storage.files import is_file, write_file

EXTRACTED = "extracted"
"""Folder of extracted source in the cache."""
NOTEBOOK = "notebook"
"""Name of the file of what no file defines, as parts are called by it."""


def to_reference(given: Any, what: str) -> str:
    """Reference to a function, class or other global that is given as the option `what`, such as `metric=`.

    A text is returned as it is. What a file or package defines is named; what a notebook, an interpreter or a script
    defines is written, with all that it uses, to a file in the cache. Raises `UserError` for what has no source, which
    names it and says what to do.
    """
    if isinstance(given, str | Path):
        return str(given)
    if home := find_home(given):
        return _refer_to_module(*home)
    name = _bound_name(given) or re.sub(r"\W", "", what) or "given"
    extraction = SourceExtraction(what, name)
    extraction.add(name, given, name)
    text = extraction.file_text()
    return f"{_write(name, text, modules_beside(text, what))}:{name}"


def _refer_to_module(module: str, name: str) -> str:
    """By its package if that is installed, else by its file."""
    file = getattr(sys.modules[module], "__file__", None)
    if file is None or not str(file).endswith(".py") or _is_installed(Path(file)):
        return f"{module}:{name}"
    return f"{Path(file).absolute()}:{name}"


def _is_installed(file: Path) -> bool:
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    return any(file.resolve().is_relative_to(Path(place).resolve()) for place in places)


def _bound_name(given: Any) -> str:
    """Name of an object in `__main__`; its own, if it is bound to that."""
    names = vars(main_module())
    own = getattr(given, "__name__", "")
    found = [name for name in (own, *names) if names.get(name, names) is given and not name.startswith("_")]
    if found:
        return found[0]
    return own if own.isidentifier() else ""


def modules_beside(text: str, what: str) -> dict[str, str]:
    """Text of the modules that source imports and that are not installed, with what these import, by their paths."""
    found: dict[str, str] = {}
    for name in _imported_names(ast.parse(text)):
        file = None if name.partition(".")[0] in PROVIDED else find_module(name)
        if file is not None and not _is_installed(file):
            found |= read_sources(what, CodeReference(name, file, find_root(file), ""))
    return found


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Dotted names of the modules that source may import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _write(name: str, text: str, beside: dict[str, str]) -> Path:
    """Write extracted source to the cache, by its digest, and the modules beside it; returns the file."""
    header = f'"""`{name}`, with all that it uses, as it was given from Python."""\n\n'
    content = (header + text).encode()
    digest = hashlib.blake2b(content + repr(sorted(beside.items())).encode(), digest_size=8).hexdigest()
    script = getattr(main_module(), "__file__", None)
    stem = re.sub(r"\W", "_", Path(script).stem) if script else NOTEBOOK
    path = cache_folder() / EXTRACTED / digest / f"{stem}.py"
    if not is_file(path):
        for place, source in beside.items():
            write_file(path.parent / place, source.encode())
        write_file(path, content)
    return path
