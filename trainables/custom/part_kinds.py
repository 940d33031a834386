"""The kinds of parts, and what each of them needs: adding one is an entry here, a check and an entry of a registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from trainables.custom.custom_code import CustomKind, CustomPart


@dataclass(frozen=True)
class PartKind:
    """What is done with the parts of one kind; functions are named `module:function`, and imported when called."""

    option: str
    """The option that names such a part."""
    expected: str
    """What that option takes, for errors."""
    describer: str
    """(The object) -> its description, plain data; raises `UserError` for an object that cannot be such a part. The
    error's text goes on from the option and the reference."""
    registrar: str
    """(The part, its object, digest of its code) -> None: adds its entry to the registry of its kind. The object is
    None in a process that runs none of the code, where the description has to do."""
    remover: str = ""
    """(The part) -> None: takes its entry away again."""
    takes_objects: bool = False
    """Whether a part may be what cannot be called, such as a `Metric`."""

    def describe(self, found: Any) -> dict[str, Any]:
        """Description of an object; raises `UserError`."""
        description: dict[str, Any] = resolve_name(self.describer)(found)
        return description

    def add(self, part: CustomPart, found: Callable[..., Any] | Any | None, code_digest: str) -> None:
        """Add a part to the registry of its kind."""
        resolve_name(self.registrar)(part, found, code_digest)

    def remove(self, part: CustomPart) -> None:
        """Take a part out of the registry of its kind."""
        if self.remover:
            resolve_name(self.remover)(part)


PART_KINDS: Mapping[CustomKind, PartKind] = {
    "model": PartKind(
        "--models", "a name, FILE.py:FUNCTION or package.module:FUNCTION",
        "trainables.custom.custom_model:describe_model", "trainables.custom.custom_model:add_model",
        "trainables.custom.custom_model:remove_model",
    ),
    "metric": PartKind(
        "--metric", "a name, FILE.py:FUNCTION or package.module:FUNCTION",
        "trainables.custom.custom_metric:describe_metric", "trainables.custom.custom_metric:add_metric",
        "trainables.custom.custom_metric:remove_metric", takes_objects=True,
    ),
    "augmentation": PartKind(
        "--augmentations", "FILE.py:FUNCTION or package.module:FUNCTION",
        "trainables.custom.custom_augmentation:describe_augmentation_part",
        "trainables.custom.custom_augmentation:add_augmentation",
        "trainables.custom.custom_augmentation:remove_augmentation_part",
    ),
    "source": PartKind(
        "--data-source", "FILE.py:NAME or package.module:NAME",
        "trainables.custom.custom_source:describe_source", "trainables.custom.custom_source:add_source",
        "trainables.custom.custom_source:remove_source", takes_objects=True,
    ),
    "space": PartKind(
        "--space", "FILE.py:FUNCTION",
        "trainables.custom.custom_space:describe_space", "trainables.custom.custom_space:add_space",
        "trainables.custom.custom_space:remove_space",
    ),
}  # fmt: skip
"""Each kind of part by its name in records."""
