"""A file of source for what was defined in a notebook, an interpreter or a script: the function and all that it uses.

A search runs in other processes, on other machines, and again when it is resumed; none of them has the notebook.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import FunctionType, ModuleType
from typing import Any

from searchspace.api.definitions import (
    MAIN_NAMES,
    Statement,
    choose_definition,
    find_statements,
    main_module,
    main_sources,
)
from searchspace.api.global_names import FUTURE, UsedNames, find_used_names, is_builtin
from searchspace.api.importable import import_statement, submodule_imports
from searchspace.api.value_text import UnwritableError, value_text
from trainables.common.errors import UserError

FIRST = (-1, 0)
"""Position of what stands before all definitions."""
TYPING = {"typing", "types", "typing_extensions"}
"""Modules of the types of type aliases."""


@dataclass(frozen=True)
class Piece:
    """The part of the file that defines one name."""

    text: str
    """Its source."""
    position: tuple[int, int] = FIRST
    """Where it stood: which source text, and line."""
    uses: UsedNames = field(default_factory=lambda: UsedNames(frozenset(), frozenset()))
    """Global names that it uses."""
    future: bool = False
    """Whether its annotations are postponed."""
    also: str = ""
    """Another name that its text binds."""


class SourceExtraction:
    """Collects what a name needs, by the values that its globals have now."""

    def __init__(self, what: str, root: str) -> None:
        """For the option `what`, of what is called `root`; both are for error messages."""
        self._what, self._root = what, root
        self._sources = main_sources()
        self._values: dict[str, Any] = {}
        self._pieces: dict[str, Piece] = {}
        self._imports: dict[str, str] = {}
        self._submodules: set[str] = set()

    def add(self, name: str, value: Any, user: str) -> None:
        """Add `name`, whose value is `value` and which `user` uses; raises `UserError` for what has no source."""
        if name in self._values:
            if self._values[name] is not value:
                raise UserError(f"{self._what}: {user}() uses {name!r}, a name of two things; rename one of them")
            return
        self._values[name] = value
        if statement := import_statement(name, value, self._sources):
            self._imports[name] = statement
            return
        self._pieces[name] = Piece("")  # it may use itself
        piece = self._pieces[name] = self._define(name, value, user)
        namespace = _namespace(value)
        for used in piece.uses.all:
            if used in namespace and not is_builtin(used, namespace[used]):
                self._add_used(used, namespace[used], name, piece)

    def file_text(self) -> str:
        """The file: imports, then definitions in an order in which each finds what it needs."""
        ordered: list[str] = []
        for name in sorted(self._pieces, key=self._position):
            self._place(name, ordered, set())
        head = [FUTURE] if any(piece.future for piece in self._pieces.values()) else []
        imports = [*sorted(self._submodules), *(self._imports[name] for name in sorted(self._imports))]
        definitions = [self._pieces[name].text for name in ordered if self._pieces[name].text]
        return "\n".join([*head, *dict.fromkeys(imports)]) + "\n\n\n" + "\n\n\n".join(definitions) + "\n"

    def _add_used(self, used: str, value: Any, name: str, piece: Piece) -> None:
        try:
            self.add(used, value, name)
        except UserError:
            if used not in piece.uses.annotations:
                raise
            self._pieces.pop(used, None)
            self._values.pop(used, None)
        if isinstance(value, ModuleType):
            self._submodules.update(submodule_imports(used, value, piece.text))

    def _define(self, name: str, value: Any, user: str) -> Piece:
        if found := choose_definition(_own_name(name, value), value, self._sources):
            return self._with_attributes(name, value, _piece_of(name, value, found), user)
        if isinstance(value, FunctionType) and (local := _local_function(name, value)):
            return self._with_attributes(name, value, local, user)
        if type(value).__module__ in TYPING and not isinstance(value, FunctionType | ModuleType):
            for statement in find_statements(name, self._sources):
                return Piece(statement.text, statement.position, statement.names, statement.future)
        if isinstance(value, type | FunctionType):
            raise self._refusal(name, value, user)
        try:
            text = f"{name} = {value_text(value, lambda part: self._refer(part, name, user))}"
        except UnwritableError as error:
            raise self._refusal(name, error.args[0], user, within=value) from error
        return Piece(text, uses=find_used_names(text))

    def _with_attributes(self, name: str, value: Any, piece: Piece, user: str) -> Piece:
        """A function's piece with the attributes that it was given later, such as ranges; decorators give theirs."""
        if not isinstance(value, FunctionType) or not vars(value) or piece.text.startswith("@"):
            return piece
        try:
            lines = [
                f"{name}.{attribute} = {value_text(part, lambda found: self._refer(found, name, user))}"
                for attribute, part in vars(value).items()
            ]
        except UnwritableError as error:
            raise self._refusal(name, error.args[0], user, within=value) from error
        text = "\n".join([piece.text, "", *lines])
        return replace(piece, text=text, uses=find_used_names(text, piece.future))

    def _refer(self, value: Any, of: str, user: str) -> str:
        """Name of a function, class or another global that the expression of `of` uses."""
        own = getattr(value, "__name__", "")
        if is_builtin(own, value):
            return own
        names = vars(main_module())
        known = [each for each in (own, *names) if each != of and names.get(each, names) is value]
        name = known[0] if known else f"_{own}"
        if not name.isidentifier() or (not known and import_statement(name, value, []) is None):
            raise UnwritableError(value)
        if not known and self._imports.get(name) not in {None, import_statement(name, value, [])}:
            raise UnwritableError(value)
        self.add(name, value, user)
        return name

    def _refusal(self, name: str, value: Any, user: str, within: Any = None) -> UserError:
        what = (
            _describe(value)
            if within is value or within is None
            else f"{_describe(within)} that holds {_describe(value)}"
        )
        remedy = f"put it into a file and give 'FILE.py:{self._root}'"
        if name == self._root:
            return UserError(f"{self._what}: {name!r} is {what}, whose source is not known; {remedy}")
        return UserError(
            f"{self._what}: {user}() uses {name!r}, {what}, which has no source; make it a plain constant, compute it "
            f"inside of {user}(), or {remedy}"
        )

    def _position(self, name: str) -> tuple[tuple[int, int], str]:
        return self._pieces[name].position, name

    def _place(self, name: str, ordered: list[str], begun: set[str]) -> None:
        """Append `name` to `ordered`, after all that runs when it is defined."""
        if name in ordered or name in begun:
            return
        begun.add(name)
        before = {other for other, piece in self._pieces.items() if piece.also == name}
        for needed in sorted(before | self._reachable(self._pieces[name].uses.at_once), key=self._position):
            self._place(needed, ordered, begun)
        ordered.append(name)

    def _reachable(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = [name for name in names if name in self._pieces]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [used for used in self._pieces[name].uses.all if used in self._pieces]
        return found


def _piece_of(name: str, value: Any, found: Statement) -> Piece:
    own = _own_name(name, value)
    alias = f"\n\n\n{name} = {own}" if own != name else ""
    return Piece(found.text + alias, found.position, found.names, found.future, also=own if alias else "")


def _own_name(name: str, value: Any) -> str:
    """Name by which a function or class was defined, which may be bound to another name by now."""
    own = getattr(value, "__qualname__", name)
    defined_here = isinstance(value, type | FunctionType) and value.__module__ in MAIN_NAMES
    return own if defined_here and str(own).isidentifier() else name


def _local_function(name: str, value: FunctionType) -> Piece | None:
    """A function that was defined within another; None for any other, and where its source is not known."""
    if "<locals>" not in value.__qualname__ or value.__name__ == "<lambda>":
        return None
    try:
        text = textwrap.dedent(inspect.getsource(value))
        node = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return None
    alias = f"\n\n\n{name} = {node.name}" if node.name != name else ""
    position = (0, value.__code__.co_firstlineno)
    return Piece(text.rstrip() + alias, position, find_used_names(text), also=node.name if alias else "")


def _namespace(value: Any) -> dict[str, Any]:
    """The globals, and the variables of enclosing functions, that a definition sees."""
    inner = inspect.unwrap(value) if callable(value) else value
    if not isinstance(inner, FunctionType):
        return vars(main_module())
    cells = zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True)
    return inner.__globals__ | {name: cell.cell_contents for name, cell in cells}


def _describe(value: Any) -> str:
    if isinstance(value, FunctionType):
        return "a lambda" if value.__name__ == "<lambda>" else "a function"
    kind = "class" if isinstance(value, type) else type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
