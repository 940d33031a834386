"""Parts that installed packages offer by entry points: found by their metadata, without importing any package."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from trainables.common.errors import UserError
from trainables.custom.custom_code import CustomKind
from trainables.metrics.metric_registry import METRIC_GROUP

GROUPS: Mapping[CustomKind, str] = {
    "model": "searchspace.models", "metric": METRIC_GROUP, "augmentation": "searchspace.augmentations",
    "source": "searchspace.data_sources",
}  # fmt: skip
"""Group of entry points of each kind of part."""


def find_entry_point(kind: CustomKind, name: str, option: str, built_in: str = "") -> str | None:
    """Reference `package.module:NAME` of the entry point `name`; None where no package has one.

    Raises `UserError`, which names both, where two packages have it, or `built_in` says what else is called so.
    """
    if kind not in GROUPS or ":" in name or "/" in name:
        return None
    found = sorted(entry_points(group=GROUPS[kind], name=name), key=_package)
    values = list(dict.fromkeys(each.value for each in found))
    if not values:
        return None
    if len(values) > 1 or built_in:
        others = [f"{each.value} of the package {_package(each)!r}" for each in found]
        both = " and ".join([built_in, *others] if built_in else others)
        raise UserError(f"{option} {name!r}: is {both}; give {option} {values[0]} for the package's")
    return "".join(values[0].split("[", maxsplit=1)[0].split())


def is_offered(kind: CustomKind, name: str) -> bool:
    """Whether an installed package has an entry point of this name."""
    return bool(name) and kind in GROUPS and bool(entry_points(group=GROUPS[kind], name=name))


def list_entry_points() -> Iterator[tuple[CustomKind, str, str]]:
    """Kind, name and package of each entry point; nothing is imported."""
    for kind, group in GROUPS.items():
        for each in sorted(entry_points(group=group), key=lambda each: each.name):
            yield kind, each.name, _package(each)


def _package(each: EntryPoint) -> str:
    return each.dist.name if each.dist else "of unknown name"
