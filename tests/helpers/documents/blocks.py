"""Blocks of Python in a page: each is run by a test, or is a fragment and says why.

A fragment stands below a line `<!-- fragment: REASON -->`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"(?:^<!-- fragment: (?P<reason>[^>]+) -->\n+)?^```python\n(?P<code>.*?)\n```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class PythonBlock:
    """One fenced block."""

    code: str
    """What is between the fences."""
    reason: str = ""
    """Why it is not run; empty for one that is."""


def python_blocks(page: Path) -> list[PythonBlock]:
    """All of a page, in their order."""
    return [PythonBlock(found["code"], found["reason"] or "") for found in BLOCK.finditer(page.read_text())]
