"""Where a global can be imported from: the statement that gives it its name in another file."""

import ast
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from searchspace.api.definitions import MAIN_NAMES, find_statements

NOT_HOMES = {*MAIN_NAMES, "builtins", "sys"}
"""Modules in which a value may lie that is not theirs, as the interpreter's last result."""


def import_statement(name: str, value: Any, sources: list[str]) -> str | None:
    """Statement that binds `name` to `value` in a file of its own; None for what no module but `__main__` has.

    It is the one that the user wrote in `sources`, where there is one.
    """
    for statement in find_statements(name, sources):
        if isinstance(node := statement.node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name.partition(".")[0]) and _gives(node, alias, value):
                    return ast.unparse(_with_names(node, alias))
    if isinstance(value, ModuleType):
        return _import_module(name, value)
    home = find_home(value)
    return f"from {home[0]} import {home[1]}" + (f" as {name}" if name != home[1] else "") if home else None


def find_home(value: Any) -> tuple[str, str] | None:
    """Module and name of a global of a module that can be imported: a function, a class, or another object."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str) and _has(module, name, value):
        return module, name
    if isinstance(value, str | int | float | tuple | list | dict | set | frozenset | None):
        return None  # what is equal may be the same object by chance
    for other, known in list(sys.modules.items()):
        if other in NOT_HOMES or not isinstance(known, ModuleType):
            continue
        for found, each in list(vars(known).items()):
            if each is value and found.isidentifier():
                return other, found
    return None


def submodule_imports(name: str, value: ModuleType, source: str) -> Iterator[str]:
    """Imports of the submodules that `source` uses as attributes of the module `value`, which is bound to `name`."""
    for node in ast.walk(ast.parse(source)):
        parts = _dotted(node)
        if parts[:1] == [name]:
            for end in range(2, len(parts) + 1):
                module = ".".join([value.__name__, *parts[1:end]])
                if module in sys.modules:
                    yield f"import {module}"


def _has(module: str, name: str, value: Any) -> bool:
    return module not in MAIN_NAMES and vars(sys.modules.get(module, ast)).get(name, ast) is value


def _gives(node: ast.Import | ast.ImportFrom, alias: ast.alias, value: Any) -> bool:
    """Whether an import, run again, gives `value`."""
    if isinstance(node, ast.Import):
        return sys.modules.get(alias.name if alias.asname else alias.name.partition(".")[0]) is value
    if node.level or not node.module or node.module in MAIN_NAMES:
        return False
    found = getattr(sys.modules.get(node.module), alias.name, sys.modules.get(f"{node.module}.{alias.name}", ast))
    return found is value


def _with_names(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=node.module, names=[alias], level=0)


def _import_module(name: str, value: ModuleType) -> str | None:
    module = value.__name__
    if module in MAIN_NAMES or sys.modules.get(module) is not value:
        return None
    return f"import {module}" if module == name else f"import {module} as {name}"


def _dotted(node: ast.AST) -> list[str]:
    """`a.b.c` as its parts; empty for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return [*before, node.attr]
    return []
