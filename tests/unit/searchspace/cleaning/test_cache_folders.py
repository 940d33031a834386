"""Every folder of the cache that the packages write is known to `searchspace clean`."""

import ast
import importlib
from collections.abc import Iterator

from searchspace.cleaning.cache_items import KINDS
from tests.helpers.repository import ROOT

KIND_ARGUMENTS = {"local_copy_folder": 0, "fetch_copy": 2}
"""Functions that take the name of a folder in the cache, and its place among their arguments."""


def written_folders() -> Iterator[tuple[str, str]]:
    """File, and name of a folder below `cache_folder()`, of each place in the source that names one."""
    for package in ("searchspace", "trainables"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.BinOp)
                    and isinstance(node.op, ast.Div)
                    and name_of(node.left) == "cache_folder"
                ):
                    yield from known(path, node.right)
                elif (place := KIND_ARGUMENTS.get(name_of(node))) is not None:
                    yield from known(path, node.args[place])


def name_of(node: ast.AST) -> str:
    """Name of the function that a call calls."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def known(path, node: ast.expr) -> Iterator[tuple[str, str]]:
    """The text that an expression stands for, if it is a constant, or a constant of its module."""
    file = path.relative_to(ROOT)
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    if isinstance(node, ast.Constant):
        yield str(file), str(node.value).partition("/")[0]
    elif isinstance(node, ast.Name) and node.id.isupper():
        yield str(file), getattr(importlib.import_module(".".join(file.with_suffix("").parts)), node.id)


def test_each_folder_that_is_written_can_be_freed():
    found = set(written_folders())
    assert {name for _, name in found} == KINDS.keys()
