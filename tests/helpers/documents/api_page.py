"""docs/api.md: what `searchspace.__all__` has, rendered from signatures and docstrings below an introduction by hand.

The page's part between `<!-- api -->` and `<!-- /api -->` is written anew.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.helpers.documents.exported_names import ExportedName, Field, exported_names
from tests.helpers.repository import ROOT

PAGE = ROOT / "docs" / "api.md"
MARKED = re.compile(r"<!-- api -->.*<!-- /api -->", re.DOTALL)
LINE = 100
"""Characters of a signature in one line."""
SECTIONS = ("Searching", "Data in memory", "Results", "Own parts", "Events", "Errors")
SECTION_OF = {
    "trainables/custom/": "Own parts", "in_memory/": "Data in memory", "events": "Events", "api/result": "Results",
    "winner": "Results",
}  # fmt: skip
"""Section by a part of a module's path; others are of the first one."""
HIDDEN_KINDS = re.compile(r"^Literal\[['\"][^,]*['\"]\]$")
"""Types of fields that tell one class from another, and have one value."""


def section_of(found: ExportedName, root: Path) -> str:
    """Where a name stands in the page; its module is below `root`."""
    if found.name.endswith("Error") or found.name in {"SearchInterrupted", "StopSearch"}:
        return "Errors"
    path = found.module.relative_to(root).as_posix()
    return next((section for part, section in SECTION_OF.items() if part in path), "Searching")


def render_page(page: str, names: Iterable[ExportedName], root: Path = ROOT) -> str:
    """The page with its rendered part, of names in modules below `root`."""
    places = [(section_of(found, root), found) for found in names]
    lines: list[str] = []
    for section in SECTIONS:
        inside = [found for place, found in places if place == section]
        lines += [f"## {section}\n"] if inside else []
        lines += [line for found in inside for line in _entry(found, with_call=section == "Own parts")]
    body = "\n".join(lines)
    return MARKED.sub(lambda _: f"<!-- api -->\n\n{body}\n<!-- /api -->", page)


def _entry(found: ExportedName, with_call: bool) -> Iterator[str]:
    """One name; `with_call` says how a class is called, where people make it themselves."""
    yield f"### {found.name}\n"
    if isinstance(found.definition, ast.FunctionDef):
        yield _signature(found.definition)
    elif isinstance(found.definition, ast.ClassDef):
        functions = [node for node in found.definition.body if isinstance(node, ast.FunctionDef)]
        yield from (_signature(node, found.name) for node in functions if node.name == "__init__" and with_call)
    yield f"{found.doc}\n"
    if fields := [field for field in found.fields() if not HIDDEN_KINDS.match(field.kind)]:
        yield from _table(fields)
    for member in found.members():
        yield from _member(member, found.name)


def _table(fields: list[Field]) -> Iterator[str]:
    with_default = any(_default(field.default) for field in fields)
    yield "| name | type |" + (" default |" if with_default else "") + " meaning |"
    yield "|---|---|" + ("---|" if with_default else "") + "---|"
    for field in fields:
        cells = [f"`{field.name}`", f"`{_plain(field.kind)}`"]
        cells += [f"`{default}`" if (default := _default(field.default)) else ""] if with_default else []
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in [*cells, field.doc]) + " |"
    yield ""


def _member(node: ast.FunctionDef, owner: str) -> Iterator[str]:
    names = {part.id for part in node.decorator_list if isinstance(part, ast.Name)}
    if names & {"property", "cached_property"}:
        yield f"**`{owner}.{node.name}`**: `{_plain(ast.unparse(node.returns)) if node.returns else ''}`\n"
    else:
        yield f"**`{owner}.{node.name}`**\n"
        yield _signature(node)
    yield f"{ast.get_docstring(node)}\n"


def _signature(node: ast.FunctionDef, name: str = "") -> str:
    """The call of a function, as a block of code; `name` for a class."""
    parts = list(_parameters(node.args))
    returned = f" -> {_plain(ast.unparse(node.returns))}" if node.returns and not name else ""
    text = f"{name or node.name}({', '.join(parts)}){returned}"
    if len(text) > LINE:
        text = f"{name or node.name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returned}"
    return "\n".join(f"    {line}" for line in text.splitlines()) + "\n"


def _parameters(found: ast.arguments) -> Iterator[str]:
    """Each parameter as it is written, without `self`."""
    plain = found.posonlyargs + found.args
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(found.defaults))
    for argument, default in zip(plain, [*defaults, *found.defaults], strict=True):
        if argument.arg not in {"self", "cls"}:
            yield _parameter(argument, default)
    if found.vararg:
        yield f"*{_parameter(found.vararg, None)}"
    elif found.kwonlyargs:
        yield "*"
    for argument, default in zip(found.kwonlyargs, found.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if found.kwarg:
        yield f"**{_parameter(found.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_plain(ast.unparse(argument.annotation))}" if argument.annotation else ""
    equals = " = " if kind else "="
    return f"{argument.arg}{kind}" + (f"{equals}{ast.unparse(default)}" if default else "")


def _default(text: str) -> str:
    """The default of a field, which may be wrapped in a call of pydantic's or dataclasses' `field`."""
    match ast.parse(text or "None", mode="eval").body:
        case ast.Call(func=ast.Name(id="Field" | "field"), args=[first, *_]):
            return ast.unparse(first)
        case ast.Call(func=ast.Name(id="Field" | "field"), keywords=keywords):
            return next((ast.unparse(each.value) for each in keywords if each.arg == "default"), "")
    return text


def _plain(kind: str) -> str:
    """A type without quotes around what is imported for type checkers alone, its module, and what only validates it."""
    match ast.parse(kind, mode="eval").body:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
            kind = ast.unparse(first)
    kind = re.sub(r"'((?:\w+\.)*[A-Z][^']*)'", r"\1", kind)
    return re.sub(r"\b(?:pd|np|optuna)\.(?=[A-Za-z])", "", kind)


def write_page() -> bool:
    """Write the page anew; returns whether anything changed."""
    before = PAGE.read_text()
    after = render_page(before, exported_names(ROOT / "searchspace"))
    if after != before:
        PAGE.write_text(after)
    return after != before
