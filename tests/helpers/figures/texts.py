"""The texts that show measured figures."""

from tests.helpers.repository import ROOT

FILES = [
    *(ROOT / name for name in ("README.md", "cluster/README.md", "results/benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
