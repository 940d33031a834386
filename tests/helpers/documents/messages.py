"""Every message that the packages address to people: errors that end a command, and warnings; read from the code."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.helpers.documents.message_texts import UNKNOWN, Source, TextReader, clean, read_sources
from tests.helpers.repository import ROOT

ROOTS = {
    "UserError", "SearchEndedError", "LostError", "NoWinnerError", "LeaseLostError",  # a command ends with their line
    "ParityError",  # why a file is not shipped
    "RequestError",  # what the service answers
}  # fmt: skip
"""Exceptions whose text people read; their subclasses belong to them."""
TEXT_OF = {"DamagedError": 1, "BadImageError": 2, "RequestError": 1}
"""Place of the text among an exception's arguments, where it is not the first."""
PREFIXES = {
    "DamagedError": f"damaged: {UNKNOWN}: ", "BadImageError": f"image {UNKNOWN} (",
    "ParityError": f"{UNKNOWN} is not shipped: ",
}  # fmt: skip
SUFFIXES = {"BadImageError": ")"}
"""What an exception writes around its text."""
OPTION_VALUES = {
    "searchspace/cli/values.py", "searchspace/budget/presets.py", "trainables/config.py",
    "trainables/storage/object_store/remote.py", "trainables/training/loss_weights.py",
}  # fmt: skip
"""Modules whose ValueErrors are shown as `--option VALUE: TEXT`."""
SPEAKERS = {
    "trainables/data/layouts/classes/class_names.py": ("_find_", f"--data {UNKNOWN}: "),
    "trainables/data/layouts/classes/class_doubts.py": ("_find_", "warning: "),
    "trainables/data/copies/copy_summary.py": ("describe", "warning: "),
    "searchspace/storage/node_access.py": ("_check_node", f"--results {UNKNOWN}: node {UNKNOWN} "),
}  # fmt: skip
"""Functions that return messages, which others raise or show: the beginning of their names, and what is before it."""


@dataclass(frozen=True)
class Message:
    """One message, in one of its forms."""

    module: str
    """Where it is written, such as `searchspace/run.py`."""
    function: str
    """The function around it."""
    text: str
    """In one line, with `…` for what differs."""

    @property
    def has_words(self) -> bool:
        """Whether enough of it is known beforehand to search for: two words beside the names of options."""
        return len(re.findall(r"[A-Za-z]{2,}", re.sub(r"--\w[\w-]*", "", self.text))) >= 2


@cache
def all_messages() -> tuple[Message, ...]:
    """Those of this repository, by module and line; each once."""
    return tuple(read_messages(ROOT))


def read_messages(root: Path) -> list[Message]:
    """Those of the packages below `root`."""
    sources = read_sources(root)
    errors = _error_classes(sources)
    found = [message for source in sources.values() for message in _of_module(sources, source, errors)]
    return list(dict.fromkeys(found))


def _error_classes(sources: Mapping[str, Source]) -> frozenset[str]:
    found = set(ROOTS)
    classes = [node for source in sources.values() for node in source.tree.body if isinstance(node, ast.ClassDef)]
    while True:
        more = {node.name for node in classes if {base.id for base in node.bases if isinstance(base, ast.Name)} & found}
        if more <= found:
            return frozenset(found)
        found |= more


def _of_module(sources: Mapping[str, Source], source: Source, errors: frozenset[str]) -> Iterator[Message]:
    yield from _spoken(sources, source)
    for function, call in _calls(source.tree, None):
        if (form := _form_of(source, call, errors)) is not None:
            text, before, after = form
            for found in TextReader(sources, source, function).texts(text):
                yield Message(source.path, function.name if function else "", clean(f"{before}{found}{after}"))


def _spoken(sources: Mapping[str, Source], source: Source) -> Iterator[Message]:
    """What the module's speakers return."""
    beginning, before = SPEAKERS.get(source.path, ("", ""))
    for name, function in source.functions.items() if beginning else ():
        if name.startswith(beginning):
            for text in TextReader(sources, source).returned(function):
                yield Message(source.path, name, clean(f"{before}{text}"))


def _calls(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Every call, with the innermost function around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        yield from _calls(child, child if isinstance(child, ast.FunctionDef) else function)


def _form_of(source: Source, call: ast.Call, errors: frozenset[str]) -> tuple[ast.expr, str, str] | None:
    """The text of a message, and what is written before and after it; None for a call that makes none."""
    place, before, after = 0, "", ""
    match call.func:
        case ast.Name(id="ValueError") if source.path in OPTION_VALUES:
            before = f"--option {UNKNOWN}: "
        case ast.Name(id=name) if name in errors:
            place, before, after = TEXT_OF.get(name, 0), PREFIXES.get(name, ""), SUFFIXES.get(name, "")
        case ast.Attribute(attr="warning" | "warn"):
            before = "warning: "
        case _:
            return None
    return (call.args[place], before, after) if place < len(call.args) else None
