"""Kinds of values that the command line takes as text: what each may look like."""

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from trainables.deploy.artefact import EXPORTED, Format
from trainables.home.storage import check_place
from trainables.nearest import suggest
from trainables.redaction import redact_urls

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
OBJECTIVES = (("accuracy",), ("accuracy", "latency"))
"""What can be searched for at once; the first is the score."""


def parse_names(text: Any) -> Any:
    """`a,b` -> `("a", "b")`; what is no text is left as it is."""
    return tuple(filter(None, text.split(","))) if isinstance(text, str) else text


def parse_duration(text: Any) -> Any:
    """`90`, `90s`, `30m`, `2h` or `1d` -> seconds, an empty text -> 0; raises ValueError for any other text."""
    if not isinstance(text, str):
        return text
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip() or "0")
    seconds = float(found[1]) * UNITS[found[2] or "s"] if found else math.nan
    if not seconds > 0 and text.strip():
        raise ValueError("expected a positive time such as 90s, 30m or 2h")
    return seconds


def check_objectives(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` if they can be searched for; raises ValueError for any others."""
    if names not in OBJECTIVES:
        known = [",".join(each) for each in OBJECTIVES]
        raise ValueError("expected " + " or ".join(known) + suggest(",".join(names), known))
    return names


def check_formats(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` if a model can be exported to them; raises ValueError for any others."""
    for name in names:
        if name not in EXPORTED:
            raise ValueError(f"{name!r} is not one of {', '.join(EXPORTED)}{suggest(name, EXPORTED)}")
    return names


Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]
Formats = Annotated[tuple[Format, ...], BeforeValidator(check_formats), BeforeValidator(parse_names)]
Objectives = Annotated[Names, AfterValidator(check_objectives)]
Place = Annotated[str, AfterValidator(check_place)]
"""A folder, or a URL of shared storage."""
Duration = Annotated[float, BeforeValidator(parse_duration)]
SecretUrl = Annotated[str, PlainSerializer(redact_urls)]
"""A URL whose password is in memory only: whatever is written of it has `***` there."""
