"""What a search says of its own time, read from its output."""

import re
from typing import Any

LINE = re.compile(
    r"search: (\d+) trials, (\d+) epochs in ([\d.]+) s, the first step after ([\d.]+) s; "
    r"(training \d+ %.*) \(.*when warm, training ([\d.]+) %"
)
SHARE = re.compile(r"([a-z-]+) (\d+) %")


def read_account(output: str) -> dict[str, Any] | None:
    """Seconds from the command's start, epochs, and shares from 0 to 1; None where there is no such line.

    Earlier versions call `decisions` all that is neither training nor start.
    """
    found = LINE.search(output)
    if found is None:
        return None
    shares = {name: int(percent) / 100 for name, percent in SHARE.findall(found[5])}
    return {
        "seconds": float(found[3]),
        "first_step": float(found[4]),
        "epochs": int(found[2]),
        "training_share": shares["training"],
        "training_share_when_warm": float(found[6]) / 100,
        "shares": shares,
    }
