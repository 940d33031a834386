"""Reads the source of a part: its file, and those beside it that it imports, found without running any of them."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from trainables.common.errors import UserError
from trainables.custom.reference import CodeReference

MAX_CODE_KB = 1024
"""Most code that a part may be, in KB (10^3 bytes): each worker gets a copy, and the search's record keeps one."""
PROVIDED = sys.stdlib_module_names | {"searchspace", "trainables"}
"""Modules that are everywhere."""
INSTALLED = {"site-packages", "dist-packages"}
"""Names of folders whose modules are installed: of these, a part's own package alone is read."""


def read_sources(option: str, reference: CodeReference) -> dict[str, str]:
    """Text of a part's file and of the modules below its root that it imports, in turn, by their paths there.

    Imports inside functions count; names that are put together while the program runs do not. Raises `UserError` for a
    file that is no Python text, and for more code than `MAX_CODE_KB`.
    """
    found: dict[str, str] = {}
    waiting = [reference.file]
    while waiting:
        file = waiting.pop()
        path = file.relative_to(reference.root).as_posix()
        if path in found:
            continue
        found[path], tree = _parse(option, reference, file)
        size = sum(len(text.encode()) for text in found.values()) / 1e3
        if size > MAX_CODE_KB:
            raise UserError(
                f"{option} {reference.text!r}: it and what it imports from {str(reference.root)!r} are more than "
                f"{MAX_CODE_KB:,} KB of code, with {path!r}; put it into a folder with what it needs alone"
            )
        waiting += [each for name in _imported(tree, file, reference) for each in _files_of(name, reference)]
        waiting += _packages_of(file, reference)
    return dict(sorted(found.items()))


def _parse(option: str, reference: CodeReference, file: Path) -> tuple[str, ast.Module]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, ast.parse(text, str(file))
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(
            f"{option} {reference.text!r}: {type(error).__name__} in {str(file)!r}{line}: {said}"
        ) from error
    except OSError as error:
        raise UserError(f"{option} {reference.text!r}: {str(file)!r} cannot be read ({error.strerror})") from error


def _imported(tree: ast.Module, file: Path, reference: CodeReference) -> Iterator[str]:
    """Dotted names that a module may import, its own package's included."""
    package = file.parent.relative_to(reference.root).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{each.name}".lstrip(".") for each in node.names)


def _files_of(name: str, reference: CodeReference) -> list[Path]:
    """Files below the root that importing `name` runs; none for what is not there."""
    parts = name.split(".")
    if not name or parts[0] in PROVIDED:
        return []
    if reference.root.name in INSTALLED and parts[0] != Path(reference.path).parts[0].removesuffix(".py"):
        return []
    places = [reference.root.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    files = [file for place in places for file in (place / "__init__.py", place.with_name(f"{place.name}.py"))]
    return [file for file in files if file.is_file()]


def _packages_of(file: Path, reference: CodeReference) -> list[Path]:
    """The `__init__.py` files that run before a module does."""
    above = [folder for folder in file.parents if folder.is_relative_to(reference.root) and folder != reference.root]
    return [each for folder in above if (each := folder / "__init__.py").is_file()]
