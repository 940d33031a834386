"""Golden files: what a program wrote when a person last looked at it, in `golden/` beside the test.

A test that finds another text shows the difference. Where the change is meant, `RENEW_GOLDEN=1 pytest TEST` writes the
new text, to be looked at in the commit.
"""

import os
import re
from pathlib import Path

NUMBER = re.compile(r"(?<![A-Za-z_])\d+(?:[.,]\d+)*(?:e-?\d+)?")


def mask_numbers(text: str) -> str:
    """`text` with `#` for every number, so that a golden file holds on every machine."""
    return NUMBER.sub("#", text)


def check_golden(test: str, name: str, text: str) -> None:
    """Fail where `text` is not that of the golden file `name` beside the test file `test`, or renew the file."""
    file = Path(test).parent / "golden" / name
    if os.environ.get("RENEW_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text.splitlines() == file.read_text(encoding="utf-8").splitlines(), "meant? RENEW_GOLDEN=1 renews the file"
