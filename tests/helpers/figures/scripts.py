"""The table of benchmark scripts in docs/benchmarks.md, from the first line of each script's docstring."""

import ast
from pathlib import Path

from tests.helpers.figures.marked import Part
from tests.helpers.figures.records import Records
from tests.helpers.repository import ROOT

FOLDER = ROOT / "tests" / "benchmarks"
PATTERNS = ("bench_*.py", "gpu.py")


def _scripts(records: Records) -> str:
    """Script, what it measures, and its records, of which one that was not made here has none."""
    lines = ["| script | what it measures | records |", "|---|---|---|"]
    for file in sorted(path for pattern in PATTERNS for path in FOLDER.glob(pattern)):
        names = [name for name, record in records.all.items() if f"/{file.name}" in record.facts["command"]]
        links = ", ".join(f"[{name}](../results/benchmarks/{name}.json)" for name in names)
        lines.append(f"| [{file.name}](../tests/benchmarks/{file.name}) | {_summary(file)} | {links or 'none yet'} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def _summary(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


SCRIPT_PARTS: dict[str, Part] = {"scripts": _scripts}
