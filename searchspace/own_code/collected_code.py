"""Collects the user's own code that options name; its parts are known by name from then on."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from searchspace.own_code.code_options import CODE_OPTIONS
from searchspace.sampling.pins import type_own_pins
from searchspace.spec import SearchSpec
from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode, CustomKind, is_custom
from trainables.custom.entry_points import find_entry_point
from trainables.custom.part_kinds import PART_KINDS
from trainables.custom.reference import is_reference
from trainables.custom.register import own_ranges, register
from trainables.metrics.metric_registry import METRICS
from trainables.models.efficientnet_lite import PACKAGED
from trainables.models.model_registry import MODELS

logger = logging.getLogger(__name__)


def references_in(spec: SearchSpec) -> Iterator[tuple[str, CustomKind, str]]:
    """Each reference, and name of an entry point, of a specification: its option, its kind, and its text."""
    for option, kind in CODE_OPTIONS.items():
        given = getattr(spec, option)
        for text in (given,) if isinstance(given, str) else given:
            if is_reference(text) or (text and not is_custom(text) and _is_offered(kind, text)):
                yield option, kind, text


def _is_offered(kind: CustomKind, name: str) -> bool:
    """Whether a name is that of a part which an installed package offers; logs a warning where it is built in, too."""
    if kind in {"augmentation", "source"}:
        return True  # no other name means anything there
    if kind == "metric" and name == SearchSpec.model_fields["metric"].default:
        return False
    option = PART_KINDS[kind].option
    offered = find_entry_point(kind, name, option)
    if offered and name in {*MODELS, *PACKAGED, *METRICS}:
        logger.warning(
            f"{option} {name!r}: is built in; an installed package offers {offered} by this name, too, which is "
            f"refused; give {option} {offered} for the package's"
        )
        return False
    if offered and kind == "model":
        from trainables.models.pretrained import is_known

        find_entry_point(kind, name, option, f"the network {name!r} of timm" if is_known(name) else "")
    return offered is not None


def with_own_code(spec: SearchSpec) -> SearchSpec:
    """`spec` with the names of own parts where it has references, once their code is collected and registered.

    A space stays a reference, with the absolute path of its file. Raises `UserError`, one line, for code that cannot be
    used, and for a pin of a hyperparameter that there is not.
    """
    wanted = [(kind, text) for _, kind, text in references_in(spec)]
    code = collect(wanted)
    register(code)
    found = zip(wanted, code.parts, strict=True)
    names = {text: part.reference if part.kind == "space" else part.name for (_, text), part in found}
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
