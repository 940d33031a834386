"""Options that may name code of the user's own."""

from collections.abc import Mapping, Set
from typing import Any

from trainables.custom.custom_code import CustomKind
from trainables.custom.entry_points import is_offered
from trainables.custom.reference import is_reference

CODE_OPTIONS: Mapping[str, CustomKind] = {
    "models": "model", "space": "space", "metric": "metric", "augmentations": "augmentation", "data_source": "source",
}  # fmt: skip
"""Fields of `SearchSpec` that take `FILE.py:NAME` or `package.module:NAME`, and the kind of part that each names."""
WITH_HYPERPARAMETERS = ("models", "augmentations")
"""Those among them whose parts may have hyperparameters of their own."""


def names_code(options: Mapping[str, Any]) -> bool:
    """Whether options as they are typed name parts that may have hyperparameters of their own."""
    for option in WITH_HYPERPARAMETERS:
        given = options.get(option) or ()
        texts = [given] if isinstance(given, str) else list(given)
        names = [name.strip() for text in texts for name in str(text).split(",")]
        if any(is_reference(name) or is_offered(CODE_OPTIONS[option], name) for name in names):
            return True
    return False


def options_with_code(options: Mapping[str, Any], given: Set[str]) -> set[str]:
    """Those options among the `given` that name code of the user's own."""
    return {option for option in CODE_OPTIONS.keys() & given if is_reference(str(options[option]))}
