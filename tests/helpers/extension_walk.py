"""The code of `docs/extending.md` and `docs/extending-search.md`, and how it is added to a copy of the packages."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.repository import ROOT

DOCUMENTS = [ROOT / "docs" / "extending.md", ROOT / "docs" / "extending-search.md"]
SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
BLOCK = re.compile(r"^```python\n# (.+)\n((?:(?!```).*\n)+)```", re.MULTILINE)
IMPORTS, ABOVE, INSIDE, NEW = ", with the imports", ", above ", ", in ", "new file "


@dataclass(frozen=True)
class Block:
    """One code block: where it belongs, as its first line says, and its text."""

    place: str
    text: str

    @property
    def path(self) -> str:
        """The file that it belongs into."""
        return self.place.removeprefix(NEW).partition(",")[0]

    def insert(self, root: Path) -> None:
        """Add it to the copy at `root`."""
        file = root / self.path
        if self.place.startswith(NEW):
            assert not file.exists(), f"{self.path} exists"
            file.write_text(self.text)
            return
        lines = file.read_text().splitlines(keepends=True)
        lines.insert(self._find_line(lines), self.text if self.text[0] in " f" else f"{self.text}\n\n")
        file.write_text("".join(lines))

    def _find_line(self, lines: list[str]) -> int:
        """Number of the line above which it belongs."""
        if self.place.endswith(IMPORTS):
            return _find_first(lines, "from ", 0)
        if ABOVE in self.place:
            return _find_first(lines, self.place.partition(ABOVE)[2], 0)
        opening = _find_first(lines, self.place.partition(INSIDE)[2], 0)
        return _find_first(lines, ("}", "]"), opening + 1)


def _find_first(lines: list[str], beginning: str | tuple[str, ...], start: int) -> int:
    """Number of the first line from `start` on that begins so, indented or not."""
    found = (i for i in range(start, len(lines)) if lines[i].lstrip(" ").startswith(beginning))
    place = next(found, None)
    assert place is not None, f"docs: no line begins with {beginning!r} there"
    return place


def read_blocks(section: str) -> list[Block]:
    """The code blocks of one section of the documents, by the beginning of its heading."""
    found = [each for document in DOCUMENTS for each in SECTION.findall(document.read_text())]
    (text,) = (text for heading, text in found if heading.startswith(section))
    return [Block(*block) for block in BLOCK.findall(text)]


def copy_packages(folder: Path) -> Path:
    """A copy of the packages and their unit tests."""
    for name in ("searchspace", "trainables", "tests/unit", "tests/helpers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("earlier_results", "*.json"))
    for name in ("pyproject.toml", "README.md", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def add_blocks(root: Path, blocks: list[Block], change: Callable[[Block], Block | None] = lambda block: block) -> None:
    """Add `blocks` to the copy, each as `change` returns it, without those for which it returns None."""
    for block in blocks:
        changed = change(block)
        if changed is not None:
            changed.insert(root)


def run_python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the packages of the copy."""
    environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "400", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=root,
        timeout=280,
    )  # fmt: skip
