"""One figure's record: the command, the machine, the versions, n, median and spread."""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from searchspace.record import gather_facts

FOLDER = Path(__file__).parent.parent.parent / "results" / "benchmarks"


def write_record(name: str, figures: dict[str, Any], arguments: list[str]) -> Path:
    """Write `results/benchmarks/NAME.json`."""
    facts = gather_facts()
    facts["command"] = " ".join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *arguments])
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps({**facts, "figures": figures}, indent=1) + "\n")
    return file


def summary(values: list[float]) -> dict[str, float]:
    """n, median, least and largest of repeated measurements."""
    return {
        "n": len(values),
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "largest": round(max(values), 4),
    }


def percentile(values: list[float], percent: float) -> float:
    """Linear between the nearest ranks."""
    return float(np.percentile(values, percent))


def last_json(text: str) -> dict[str, Any]:
    """The last line that is a JSON object; Ray prints its own lines before and after."""
    found: dict[str, Any] = json.loads([line for line in text.splitlines() if line.startswith("{")][-1])
    return found
