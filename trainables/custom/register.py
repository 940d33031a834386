"""Registers a search's own parts in this process, so that they are found by name like those that are built in."""

from collections import ChainMap

from trainables.common.errors import UserError
from trainables.custom.collect import load_part
from trainables.custom.custom_code import CustomCode
from trainables.custom.part_kinds import PART_KINDS
from trainables.custom.ranges import RANGES, Choice, Float, Int

DESCRIBED = {"metric", "augmentation"}
"""Kinds of parts whose descriptions say how figures and configurations are shown."""
_registered = CustomCode()
"""The code of this process."""


def register(code: CustomCode) -> None:
    """Let this process find the parts of `code` by name, and no others; runs their code.

    Raises `UserError` for a part that cannot be loaded, and for two with one hyperparameter in different ranges.
    """
    _check_ranges(code)
    objects = [load_part(code, part) for part in code.parts]
    _remove()
    for part, found in zip(code.parts, objects, strict=True):
        PART_KINDS[part.kind].add(part, found, code.digest_of(part))
    _set(code)


def register_descriptions(code: CustomCode) -> None:
    """The same for a process that only reads of them, and runs none of their code."""
    _remove()
    for part in code.parts:
        PART_KINDS[part.kind].add(part, None, code.digest_of(part))
    _set(code)


def add_descriptions(code: CustomCode) -> None:
    """Let this process show what the metrics and augmentations of `code` are called, and run none of it.

    For commands that read many searches; parts whose code this process has registered stay.
    """
    known = {(part.kind, part.name) for part in _registered.parts}
    for part in code.parts:
        if part.kind in DESCRIBED and (part.kind, part.name) not in known:
            PART_KINDS[part.kind].add(part, None, "")


def registered_code() -> CustomCode:
    """The code that this process has registered, for processes that it starts."""
    return _registered


def own_ranges(code: CustomCode) -> dict[str, Choice | Int | Float]:
    """The own hyperparameters of all parts of `code`, by name."""
    return dict(ChainMap(*(RANGES.validate_python(p.description.get("hyperparameters", {})) for p in code.parts)))


def _remove() -> None:
    for part in _registered.parts:
        PART_KINDS[part.kind].remove(part)


def _set(code: CustomCode) -> None:
    global _registered  # noqa: PLW0603  # of the process, as the registries are
    _registered = code


def _check_ranges(code: CustomCode) -> None:
    known: dict[str, tuple[str, Choice | Int | Float]] = {}
    for part in code.parts:
        for name, own in RANGES.validate_python(part.description.get("hyperparameters", {})).items():
            other, known_range = known.setdefault(name, (part.name, own))
            if known_range != own:
                raise UserError(
                    f"{part.name} and {other} both declare {name!r}, in different ranges; a search has one range for "
                    "a name: rename it in one of them"
                )
