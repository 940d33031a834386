"""The lists of messages in docs/troubleshooting.md: below each cause and remedy, the texts that it is about.

A list stands between `<!-- messages: SELECTOR SELECTOR -->` and `<!-- /messages -->`. A selector is a package, such as
`searchspace.api`, a module, such as `searchspace.run`, or a function, `searchspace.run:main`; the narrowest one counts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.helpers.documents.messages import Message, all_messages
from tests.helpers.repository import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
MARKED = re.compile(r"<!-- messages:(?P<selectors>[^>]*)-->.*?<!-- /messages -->", re.DOTALL)


def selector_of(message: Message, known: Iterable[str]) -> str:
    """Which of the `known` selectors a message belongs to; empty if none."""
    parts = message.module.removesuffix(".py").split("/")
    around = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((name for name in (f"{around[0]}:{message.function}", *around) if name in known), "")


def selectors_of(page: str) -> list[str]:
    """All selectors of a page, in their order."""
    return [name for found in MARKED.finditer(page) for name in found["selectors"].split()]


def rendered(page: str, messages: Sequence[Message]) -> str:
    """The page with each list as the messages are."""
    known = set(selectors_of(page))

    def write(found: re.Match[str]) -> str:
        names = found["selectors"].split()
        texts = [m.text for name in names for m in messages if m.has_words and selector_of(m, known) == name]
        lines = "\n".join(f"- {as_code(text)}" for text in dict.fromkeys(texts))
        return f"<!-- messages:{found['selectors']}-->\n\n{lines}\n\n<!-- /messages -->"

    return MARKED.sub(write, page)


def as_code(text: str) -> str:
    """A text as Markdown's code, backticks and all."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def without_topic(page: str, messages: Sequence[Message]) -> list[Message]:
    """Messages that no list has."""
    known = set(selectors_of(page))
    return [message for message in messages if message.has_words and not selector_of(message, known)]


def useless_selectors(page: str, messages: Sequence[Message]) -> list[str]:
    """Selectors that choose nothing, or stand there twice."""
    names = selectors_of(page)
    used = {selector_of(message, set(names)) for message in messages}
    return [name for name, count in Counter(names).items() if name not in used or count > 1]


def write_page(file: Path = PAGE) -> bool:
    """Write the lists of the page anew; returns whether anything changed."""
    before = file.read_text()
    after = rendered(before, all_messages())
    if after != before:
        file.write_text(after)
    return after != before
