"""The source of what was defined in `__main__`: a script, the cells of a notebook, or the lines of an interpreter.

`inspect.getsource` does not find classes of cells, and takes a script's file as it is now; here a piece of source is
compared with the code that runs.
"""

import ast
import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

from searchspace.api.global_names import FUTURE, UsedNames, find_used_names

MAIN_NAMES = {"__main__", "__mp_main__"}
"""Names of the module that a user runs."""
CELL_NAMES = ("<python-input", "<stdin")
"""Beginnings of the file names under which Python's own interpreter keeps what was typed."""
FUTURE_FLAG = 0x1000000
"""Flag of code that was compiled with postponed annotations (`CO_FUTURE_ANNOTATIONS`)."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Statement:
    """A top-level statement that binds a name."""

    node: ast.stmt
    """Its syntax tree."""
    source: str
    """The source text that it stands in."""
    position: tuple[int, int]
    """Which source text, in the order of execution, and its line."""
    future: bool
    """Whether its annotations are postponed."""

    @property
    def text(self) -> str:
        """Its text, with decorators; what stands indented stays so, below `if True:`."""
        if not isinstance(self.node, Definition):
            return ast.get_source_segment(self.source, self.node) or ""
        lines = self.source.splitlines()[self.lines.start - 1 : self.lines.stop - 1]
        return "\n".join((["if True:"] if self.node.col_offset else []) + lines)

    @property
    def lines(self) -> range:
        """Its lines in the source text, from 1."""
        first = min(node.lineno for node in (self.node, *getattr(self.node, "decorator_list", [])))
        return range(first, (self.node.end_lineno or first) + 1)

    @property
    def names(self) -> UsedNames:
        """Global names that it uses."""
        return find_used_names(self.text, self.future)


def main_module() -> ModuleType:
    """The module that the user runs."""
    return sys.modules["__main__"]


def main_sources() -> list[str]:
    """Source texts of `__main__`, in the order in which they ran."""
    names = vars(main_module())
    file = names.get("__file__")
    scripts = ["".join(linecache.getlines(file))] if isinstance(file, str) else []
    if "get_ipython" in names and "In" in names:
        cells = [text for cell in names["In"] for text in (str(cell), *_magic_cells(str(cell)))]
    else:
        cells = ["".join(linecache.getlines(name)) for name in list(linecache.cache) if name.startswith(CELL_NAMES)]
    texts = [text for text in scripts + cells if text.strip()]
    return [text for index, text in enumerate(texts) if text not in texts[index + 1 :]]


def _magic_cells(cell: str) -> list[str]:
    """What stands below `%%time` and other magics of a cell, which IPython keeps as an argument of a call."""
    calls = [
        node.value for node in _statements(cell) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    magics = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "run_cell_magic"]
    return [str(call.args[-1].value) for call in magics if call.args and isinstance(call.args[-1], ast.Constant)]


def find_statements(name: str, sources: list[str]) -> list[Statement]:
    """Top-level statements that bind `name`, the latest first."""
    found: list[Statement] = []
    future = False
    for index, source in enumerate(sources):
        future = future or FUTURE in source  # it holds for later cells, too
        nodes = [node for node in _statements(source) if name in _bound_names(node)]
        found += [Statement(node, source, (index, node.lineno), future) for node in nodes]
    return found[::-1]


def choose_definition(name: str, value: Any, sources: list[str]) -> Statement | None:
    """The definition of `name` that made `value`, a function, a class, or what a decorator made of one.

    Code is compared. What has no code of its own, as what a decorator returned, is of the latest definition.
    """
    bindings = find_statements(name, sources)
    for statement in bindings:
        if _is_source_of(statement, value):
            return statement
    if isinstance(value, type):
        classes = [each for each in bindings if isinstance(each.node, ast.ClassDef) and not _codes(each.node, value)]
        return next(iter(classes), None)
    latest = bindings[0] if bindings else None
    made = latest is not None and getattr(latest.node, "decorator_list", []) and not _codes(latest.node, value)
    return latest if made else None


def _is_source_of(statement: Statement, value: Any) -> bool:
    codes = _codes(statement.node, value)
    if not codes:
        return False
    flags = codes[0].co_flags & FUTURE_FLAG
    # Code depends on what else is compiled with it: a script as a whole, the statements of a cell one by one.
    for source, within in ((statement.text, range(len(statement.source))), (statement.source, statement.lines)):
        try:
            compiled = compile(source, "source", "exec", flags=flags, dont_inherit=True)
        except SyntaxError:
            continue
        known = [code for code in _nested(compiled) if code.co_firstlineno in within]
        if all(any(_is_same(code, other) for other in known) for code in codes):
            return True
    return False


@lru_cache(maxsize=1024)
def _statements(source: str) -> tuple[ast.stmt, ...]:
    """Top-level statements; none of a cell that did not run."""
    try:
        return tuple(_top_level(ast.parse(source).body))
    except SyntaxError:
        return ()


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at the top level, also below `if`, `try`, `with` and loops."""
    for node in body:
        yield node
        if not isinstance(node, Definition):
            for field in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _bound_names(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    target = getattr(node, "target", None) or getattr(node, "name", None)  # of `x: int = 1`, and of `type X = int`
    return {target.id} if isinstance(target, ast.Name) else set()


def _codes(node: ast.stmt, value: Any) -> list[CodeType]:
    """Code of `value` that must be in the definition `node`: its own, or that of its methods without decorators."""
    if isinstance(value, type) and isinstance(node, ast.ClassDef):
        plain = [part.name for part in node.body if isinstance(part, FUNCTIONS) and not part.decorator_list]
        parts = [vars(value).get(name) for name in plain]
        return [part.__code__ for part in parts if isinstance(part, FunctionType)]
    inner = unwrap(value) if callable(value) else None
    if not isinstance(inner, FunctionType) or not isinstance(node, FUNCTIONS) or inner.__name__ != node.name:
        return []
    return [inner.__code__]


def _nested(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from _nested(part)


def _is_same(one: CodeType, other: CodeType) -> bool:
    names = ("co_code", "co_name", "co_names", "co_varnames", "co_freevars", "co_cellvars")
    if any(getattr(one, name) != getattr(other, name) for name in names) or len(one.co_consts) != len(other.co_consts):
        return False
    return all(_is_same_constant(*pair) for pair in zip(one.co_consts, other.co_consts, strict=True))


def _is_same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _is_same(one, other)
    return type(one) is type(other) and (one == other or repr(one) == repr(other))
