"""Licences of weights and data: only known facts, none guessed."""

from collections.abc import Sequence

from trainables.config import Frozen

YOURS, OTHER, UNKNOWN = "yours", "other", "unknown"
"""What stands for an id: trained here from scratch; terms of its own, which `terms` names; not known."""


class Licence(Frozen):
    """Terms that something may be used under."""

    id: str = UNKNOWN
    """SPDX id in small letters, such as `apache-2.0`; or `yours`, `other` or `unknown`."""
    terms: str = "of unknown origin"
    """What it is that they hold for, and what else is to be known, in words."""


def binding(licences: Sequence[Licence]) -> tuple[str, ...]:
    """Ids that bind what several things were made of: each once; `yours` alone where nothing else binds."""
    ids = tuple(dict.fromkeys(licence.id for licence in licences))
    return tuple(name for name in ids if name != YOURS) or ids
