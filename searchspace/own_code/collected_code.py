"""Collects the user's own code that options name; its parts are known by name from then on."""

from collections.abc import Iterator, Mapping
from typing import Any

from searchspace.own_code.code_options import CODE_OPTIONS
from searchspace.sampling.pins import type_own_pins
from searchspace.spec import SearchSpec
from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode, CustomKind
from trainables.custom.reference import is_reference
from trainables.custom.register import own_ranges, register


def references_in(spec: SearchSpec) -> Iterator[tuple[str, CustomKind, str]]:
    """Each reference of a specification: its option, its kind, and its text."""
    for option, kind in CODE_OPTIONS.items():
        given = getattr(spec, option)
        for text in (given,) if isinstance(given, str) else given:
            if is_reference(text):
                yield option, kind, text


def with_own_code(spec: SearchSpec) -> SearchSpec:
    """`spec` with the names of own parts where it has references, once their code is collected and registered.

    A space stays a reference, with the absolute path of its file. Raises `UserError`, one line, for code that cannot be
    used, and for a pin of a hyperparameter that there is not.
    """
    found = list(references_in(spec))
    code = collect((kind, text) for _, kind, text in found)
    register(code)
    names = {text: part.reference if part.kind == "space" else part.name for (_, _, text), part in zip(
        found, code.parts, strict=True
    )}  # fmt: skip
    return with_names(spec, names, code)


def with_names(spec: SearchSpec, names: Mapping[str, str], code: CustomCode) -> SearchSpec:
    """`spec` with `names` in place of references, and the pins of the hyperparameters of `code` typed."""
    changed: dict[str, Any] = {"pins": type_own_pins(spec.pins, own_ranges(code))}
    for option in CODE_OPTIONS:
        given = getattr(spec, option)
        changed[option] = (
            names.get(given, given) if isinstance(given, str) else tuple(names.get(each, each) for each in given)
        )
    return spec.model_copy(update=changed)
