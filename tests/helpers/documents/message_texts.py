"""The texts that an expression of the packages may have, with `…` for what is only known when it runs."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path

UNKNOWN = "…"
MAX_TEXTS = 12
"""Texts of one expression; where there would be more, the part that varies is `UNKNOWN`."""
MAX_DEPTH = 3
"""Functions that are looked into, one inside another."""
PACKAGES = ("searchspace", "trainables")
SHORT = re.compile(r"[\w-]*( [\w-]+)?")
"""A word or two, of which one stands by the number of things."""
OPAQUE = {"list_names": UNKNOWN, "describe_error": UNKNOWN, "format_validation_error": UNKNOWN, "suggest": ""}
"""Functions whose texts say nothing that one could search for, and what stands for them."""


@dataclass(frozen=True)
class Source:
    """One module."""

    path: str
    """Below the repository, such as `searchspace/run.py`."""
    tree: ast.Module = field(compare=False, repr=False)

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """What its constants are assigned."""
        found = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
        return found

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Its functions and methods."""
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    @cached_property
    def attributes(self) -> dict[str, list[ast.expr]]:
        """What attributes of `self` are assigned, in any of its classes."""
        found: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Attribute):
                    found.setdefault(target.attr, []).append(node.value)
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """Path of the module of the packages that a name is imported from."""
        return {
            alias.asname or alias.name: f"{node.module.replace('.', '/')}.py"
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES
            for alias in node.names
        }


def read_sources(root: Path) -> dict[str, Source]:
    """Every module of the packages, by its path below `root`."""
    files = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return {path: Source(path, ast.parse(file.read_text())) for file in files for path in [str(file.relative_to(root))]}


def clean(text: str) -> str:
    """A text in one line, with one `…` where several stand beside each other."""
    return re.sub(rf"({UNKNOWN}\s*)+{UNKNOWN}", UNKNOWN, " ".join(text.split()))


class TextReader:
    """Reads the texts of expressions in one function of one module."""

    def __init__(
        self, sources: Mapping[str, Source], source: Source, function: ast.FunctionDef | None = None, depth: int = 0
    ) -> None:
        """Of `function`, or of the module itself; `depth` functions are being looked into."""
        self._sources, self._source, self._depth = sources, source, depth
        self._locals: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function) if function else ():
            if isinstance(node, ast.Assign):
                self._add_locals(node.targets, node.value)
            elif isinstance(node, ast.NamedExpr):
                self._add_locals([node.target], node.value)
            elif isinstance(node, ast.For | ast.comprehension):
                self._add_locals([node.target], node.iter)

    def texts(self, node: ast.expr) -> list[str]:
        """What `node` may be as a text; at least one."""
        found = list(dict.fromkeys(self._read(node)))
        return found if 0 < len(found) <= MAX_TEXTS else [UNKNOWN]

    def _add_locals(self, targets: Iterable[ast.expr], value: ast.expr) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self._locals.setdefault(target.id, []).append(value)
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for name, part in zip(target.elts, value.elts, strict=False):
                    self._add_locals([name], part)

    def _read(self, node: ast.expr) -> list[str]:
        """What one kind of expression may be."""
        match node:
            case ast.Name(id=name):
                found = self._read_name(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                found = self._texts_of(self._source.attributes.get(name, ()))
            case ast.Call():
                found = self._read_call(node)
            case ast.IfExp(body=body, orelse=other):
                found = [*self.texts(body), *self.texts(other)]
                found = [UNKNOWN] if all(SHORT.fullmatch(text) for text in found) else found
            case ast.Constant() | ast.JoinedStr() | ast.FormattedValue() | ast.BinOp():
                found = self._read_string(node)
            case _:
                found = self._texts_of(_parts_of(node))
        return found

    def _read_string(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Constant(value=str() as value):
                return [value]
            case ast.JoinedStr(values=parts):
                return self._join(parts)
            case ast.FormattedValue(value=value, conversion=conversion):
                found = self.texts(value)
                return [repr(text) if conversion == ord("r") and text != UNKNOWN else text for text in found]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._join([left, right])
        return [UNKNOWN]

    def returned(self, function: ast.FunctionDef) -> list[str]:
        """The texts that a function of this module returns or yields."""
        return self._returned(self._source, function.name)

    def _texts_of(self, nodes: Iterable[ast.expr]) -> list[str]:
        """Those of all `nodes` that are more than a name."""
        return [text if " " in text else UNKNOWN for node in nodes for text in self.texts(node)]

    def _join(self, parts: Iterable[ast.expr]) -> list[str]:
        choices = [self.texts(part) for part in parts]
        count = 1
        for place, texts in enumerate(choices):
            count *= len(texts)
            if count > MAX_TEXTS:
                choices[place], count = [UNKNOWN], count // len(texts)
        return ["".join(texts) for texts in product(*choices)]

    def _read_name(self, name: str) -> list[str]:
        if name in self._locals:
            values = self._locals.pop(name)  # names that lead to each other are read once
            found = self._texts_of(values)
            self._locals[name] = values
            return found
        source = self._home(name)
        value = source.values.get(name) if source else None
        reader = TextReader(self._sources, source, depth=self._depth) if source else self
        return reader.texts(value) if value is not None else [UNKNOWN]

    def _read_call(self, node: ast.Call) -> list[str]:
        match node.func:
            case ast.Attribute(value=value, attr="format"):
                return [re.sub(r"\{[^}]*\}", UNKNOWN, text) for text in self.texts(value)]
            case ast.Name(id=name) if name in OPAQUE:
                return [OPAQUE[name]]
            case ast.Name(id=name) if source := self._home(name):
                return self._returned(source, name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                return self._returned(self._source, name)
        return [UNKNOWN]

    def _returned(self, source: Source, name: str) -> list[str]:
        """The texts that a function of `source` returns or, as a generator, yields."""
        function = source.functions.get(name)
        if function is None or self._depth >= MAX_DEPTH:
            return [UNKNOWN]
        reader = TextReader(self._sources, source, function, self._depth + 1)
        nodes = [node for node in ast.walk(function) if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)]
        values = [node.value for node in sorted(nodes, key=lambda node: node.lineno) if node.value is not None]
        return [text for text in reader._texts_of(values) if text != UNKNOWN] or [UNKNOWN]

    def _home(self, name: str) -> Source | None:
        """The module that a global name is of."""
        return self._sources.get(self._source.imports[name]) if name in self._source.imports else self._source


def _parts_of(node: ast.expr) -> list[ast.expr]:
    """Expressions of which one with several texts has them."""
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts) | ast.Dict(values=parts):
            return parts
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part) | ast.Starred(value=part):
            return [part]
        case ast.Subscript(value=part):
            return [part]
    return []
