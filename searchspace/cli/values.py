"""Types of values that the command line parses from text, and the formats of each."""

import math
import os
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from searchspace.budget.budget import Budget
from searchspace.cli.command_start import HOST_RAY_VARIABLE
from trainables.common.errors import suggest
from trainables.common.redaction import redact_urls
from trainables.export.exported_files import EXPORT_FORMATS, Format
from trainables.metrics.metric_registry import DEFAULT_METRIC
from trainables.storage.object_store.remote import check_location

UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)\s*")
DOLLARS = re.compile(r"\$\s*(\d+(?:\.\d+)?)")
GPU_HOURS = re.compile(r"(\d+(?:\.\d+)?)\s*gpu-?\s?h(?:ours?)?", re.IGNORECASE)
OBJECTIVES = ((DEFAULT_METRIC,), (DEFAULT_METRIC, "latency"))
"""The sets of objectives that a search may have; the first objective is the score, in any metric."""


def parse_names(given: Any) -> Any:
    """`a,b`, or a list of such texts -> `("a", "b")`; what is no text is left as it is.

    Raises ValueError for a name that is given twice, which would otherwise count twice, and a text without a name.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return given
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if not names and any(text.strip() for text in texts):
        raise ValueError("names nothing; expected names with commas between them")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name!r} is given twice; give each name once")
    return tuple(names)


def parse_duration(text: Any) -> Any:
    """`90s`, `30m`, `2h`, `1d` or `1h30m` -> seconds, an empty text -> 0; raises ValueError for any other text."""
    if not isinstance(text, str):
        return text
    wanted = text.strip()
    try:
        number = float(wanted)
    except ValueError:
        number = math.nan
    if number > 0:
        raise ValueError(f"needs a unit: {number:g}s, {number:g}m or {number:g}h")
    seconds = sum(float(amount) * UNITS[unit] for amount, unit in DURATION.findall(wanted))
    if wanted and not (seconds > 0 and DURATION.sub("", wanted) == ""):
        raise ValueError("expected a positive time such as 90s, 30m or 2h")
    return seconds


def parse_budget(text: Any) -> Any:
    """`10m`, `1h30m`, `$20` or `8gpuh` -> a budget, an empty text -> None; raises ValueError for any other text."""
    if not isinstance(text, str):
        return text
    wanted = text.strip()
    if found := DOLLARS.fullmatch(wanted):
        return Budget(amount=_positive(found[1]), unit="dollars")
    if found := GPU_HOURS.fullmatch(wanted):
        return Budget(amount=_positive(found[1]), unit="GPU-hours")
    try:
        seconds = parse_duration(wanted)
    except ValueError as error:
        if str(error).startswith("needs a unit"):
            raise
        raise ValueError("expected a time such as 90s, 10m or 1h30m, an amount such as $20, or 8gpuh") from error
    return Budget(amount=seconds) if seconds else None


def _positive(number: str) -> float:
    if not float(number):
        raise ValueError("expected more than 0")
    return float(number)


def without_host_ray(address: str) -> str:
    """`address`, or nothing where it is the Ray of the program that started this command, which ends with it."""
    return "" if address == os.environ.get(HOST_RAY_VARIABLE) else address


def check_share(value: float) -> float:
    """`value` if it is a share from 0 to 1; raises ValueError that says how a percentage is written."""
    if not 0 <= value <= 1:
        meant = f"; {value:g} % is {value / 100:g}" if 1 < value <= 100 else ""
        raise ValueError(f"is a share, from 0 to 1{meant}")
    return value


def check_objectives(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` if they can be searched for; raises ValueError for any others."""
    if names not in OBJECTIVES:
        known = [",".join(each) for each in OBJECTIVES]
        raise ValueError("expected " + " or ".join(known) + suggest(",".join(names), known))
    return names


def describe_objectives() -> str:
    """Describe the values of `--objectives` for the help."""
    alone, both = (",".join(each) for each in OBJECTIVES)
    return f"{alone} (or --metric), or {both}"


def check_formats(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` if a model can be exported to them; raises ValueError for any others."""
    for name in names:
        if name not in EXPORT_FORMATS:
            raise ValueError(f"{name!r} is not one of {', '.join(EXPORT_FORMATS)}{suggest(name, EXPORT_FORMATS)}")
    return names


Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]
Formats = Annotated[tuple[Format, ...], BeforeValidator(check_formats), BeforeValidator(parse_names)]
Objectives = Annotated[Names, AfterValidator(check_objectives)]
Place = Annotated[str, AfterValidator(check_location)]
"""A folder, or a URL of shared storage."""
Share = Annotated[float, AfterValidator(check_share)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
BudgetAmount = Annotated[Budget | None, BeforeValidator(parse_budget)]
Address = Annotated[str, PlainSerializer(without_host_ray)]
"""Address of a Ray cluster; no record has that of a program's own, so that the search is resumed without it."""
SecretUrl = Annotated[str, PlainSerializer(redact_urls)]
"""A URL whose password is in memory only: its written form has `***` there."""
