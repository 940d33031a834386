"""Writes the figures in README.md, docs/, cluster/README.md and results/benchmarks/README.md from the records.

    python tests/benchmarks/figures.py [--check]

What stands between `<!-- figures:NAME -->` and `<!-- /figures -->` is written anew from results/benchmarks/*.json;
tests/helpers/figures/parts.py says how. `--check`, which `make check` runs, changes nothing, and fails where text and
records differ.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.figures.marked import differing
from tests.helpers.figures.parts import PARTS
from tests.helpers.figures.records import Records
from tests.helpers.figures.texts import FILES, ROOT


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="only say which files differ from the records")
    check = parser.parse_args().check
    changed = differing(FILES, PARTS, Records())
    for file, text in changed.items():
        if not check:
            file.write_text(text)
        print(
            f"{file.relative_to(ROOT)}: {'differs from the records; run this without --check' if check else 'written'}"
        )
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
