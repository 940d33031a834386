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
    classes = [node for source in sources.values() for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    while True:
        more = {node.name for node in classes if {base.id for base in node.bases if isinstance(base, ast.Name)} & found}
        if more <= found:
            return frozenset(found)
        found |= more


def _of_module(sources: Mapping[str, Source], source: Source, errors: frozenset[str]) -> Iterator[Message]:
    for function, call in _calls(source.tree, None):
        reader = TextReader(sources, source, function)
        for text in _texts(reader, source, call, errors):
            yield Message(source.path, function.name if function else "", clean(text))


def _calls(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Every call, with the innermost function around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        yield from _calls(child, child if isinstance(child, ast.FunctionDef) else function)


def _texts(reader: TextReader, source: Source, call: ast.Call, errors: frozenset[str]) -> list[str]:
    match call.func:
        case ast.Name(id="ValueError") if source.path in OPTION_VALUES and call.args:
            return [f"--option {UNKNOWN}: {text}" for text in reader.texts(call.args[0])]
        case ast.Name(id=name) if name in errors:
            place = TEXT_OF.get(name, 0)
            if place >= len(call.args):
                return []
            before, after = PREFIXES.get(name, ""), SUFFIXES.get(name, "")
            return [f"{before}{text}{after}" for text in reader.texts(call.args[place])]
        case ast.Attribute(attr="warning" | "warn") if call.args:
            return [f"warning: {text}" for text in reader.texts(call.args[0]) if text != UNKNOWN]
    return []
