"""What `searchspace` exports, as its source has it: signatures, fields and docstrings, without importing anything."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Field:
    """A field of a class, or an option."""

    name: str
    kind: str
    """Its type, as written."""
    default: str
    """As written; empty where there is none."""
    doc: str


@dataclass(frozen=True)
class ExportedName:
    """One name, and where it is defined."""

    name: str
    module: Path
    """Its file."""

    @cached_property
    def tree(self) -> ast.Module:
        """The module that it is in."""
        return ast.parse(self.module.read_text())

    @cached_property
    def definition(self) -> Definition:
        """Its function, class or assignment; raises `LookupError` where the module has none."""
        return find_definition(self.tree, self.name)

    @cached_property
    def doc(self) -> str:
        """Its docstring, or what is written below its assignment."""
        if isinstance(self.definition, ast.FunctionDef | ast.ClassDef):
            return ast.get_docstring(self.definition) or ""
        return doc_below(self.tree.body, self.definition)

    def fields(self) -> list[Field]:
        """Annotated names of a class with docstrings, those of its bases in the same module first."""
        return list(_fields_of(self.tree, self.definition)) if isinstance(self.definition, ast.ClassDef) else []

    def members(self) -> list[ast.FunctionDef]:
        """Public methods and properties of a class, in their order; those that its field validators are left out."""
        if not isinstance(self.definition, ast.ClassDef):
            return []
        functions = [node for node in self.definition.body if isinstance(node, ast.FunctionDef)]
        return [node for node in functions if not node.name.startswith("_") and ast.get_docstring(node)]


def exported_names(package: Path) -> list[ExportedName]:
    """Those of `__all__`, in the order of the imports for type checkers in `package/__init__.py`."""
    tree = ast.parse((package / "__init__.py").read_text())
    listed = {name for node in tree.body if _assigns(node, "__all__") for name in ast.literal_eval(node.value)}
    found = {
        alias.asname or alias.name: package.parent / f"{node.module.replace('.', '/')}.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    return [ExportedName(name, module) for name, module in found.items() if name in listed]


def find_definition(tree: ast.Module, name: str) -> Definition:
    """The function, class or assignment of that name in a module; raises `LookupError` where there is none."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign | ast.AnnAssign) and _assigns(node, name):
            return node
    raise LookupError(name)


def doc_below(body: list[ast.stmt], node: ast.stmt) -> str:
    """The string that stands below a statement; empty where there is none."""
    place = body.index(node) + 1
    match body[place : place + 1]:
        case [ast.Expr(value=ast.Constant(value=str() as text))]:
            return " ".join(text.split())
    return ""


def _fields_of(tree: ast.Module, found: ast.ClassDef) -> Iterator[Field]:
    for base in found.bases:
        if isinstance(base, ast.Name):
            try:
                inherited = find_definition(tree, base.id)
            except LookupError:  # another module's
                continue
            yield from _fields_of(tree, inherited) if isinstance(inherited, ast.ClassDef) else ()
    for node in found.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and (doc := doc_below(found.body, node))
        ):
            default = ast.unparse(node.value) if node.value else ""
            yield Field(node.target.id, ast.unparse(node.annotation), default, doc)


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)
