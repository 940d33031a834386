"""Global names that a piece of source code uses, and whether it needs them when it is defined or when it is called."""

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

FUTURE = "from __future__ import annotations"
"""Statement under which annotations are not evaluated."""
COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
"""Scopes of functions that run where they stand."""


@dataclass(frozen=True)
class UsedNames:
    """Global names that a piece of source code uses."""

    at_once: frozenset[str]
    """Needed when it is defined: decorators, defaults, base classes, annotations, bodies of classes."""
    later: frozenset[str]
    """Needed when its functions are called."""
    annotations: frozenset[str] = frozenset()
    """In annotations that are not evaluated; some decorators look them up."""

    @property
    def all(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.at_once | self.later | self.annotations))


def find_used_names(source: str, future: bool = False) -> UsedNames:
    """Global names that `source` uses, without builtins; `future`: its annotations are not evaluated."""
    table = symtable.symtable(f"{FUTURE}\n{source}" if future else source, "source", "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    found = list(_walk(table, at_once=True))
    at_once = {name for name, now in found if now and _is_asked_for(name)} - own
    later = {name for name, now in found if not now and _is_asked_for(name)} - own - at_once
    noted = set(_annotation_names(ast.parse(source))) if future else set()
    return UsedNames(frozenset(at_once), frozenset(later), frozenset(noted - own - at_once - later))


def _walk(table: symtable.SymbolTable, at_once: bool) -> Iterator[tuple[str, bool]]:
    """Each global name of a scope and of those within it, and whether it is needed at once."""
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if (top and symbol.is_referenced()) or (not top and symbol.is_global()):
            yield symbol.get_name(), at_once
    for child in table.get_children():
        is_body = str(child.get_type()) == "function" and child.get_name() not in COMPREHENSIONS
        yield from _walk(child, at_once and not is_body)


def _is_asked_for(name: str) -> bool:
    """Whether a name can be a global of the user's; a builtin that is hidden by a global is found by its value."""
    return not (name.startswith("__") and name.endswith("__"))


def is_builtin(name: str, value: object) -> bool:
    """Whether a global name is Python's own."""
    return getattr(builtins, name, builtins) is value


def _annotation_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            part = getattr(node, field, None)
            if isinstance(part, ast.AST):
                yield from (each.id for each in ast.walk(part) if isinstance(each, ast.Name) and not _is_python(each))


def _is_python(name: ast.Name) -> bool:
    return hasattr(builtins, name.id)
