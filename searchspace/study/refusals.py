"""Refusals: configurations that were drawn but not trained, with their reasons and the counts of each reason."""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import optuna
from optuna.trial import FrozenTrial

from trainables.config import Frozen

MAX_SHOWN = 3
"""Reasons that a line names, the most frequent first."""
NUMBER = re.compile(r"\d[\d,.]*")


class RefusalReason(StrEnum):
    """Why a configuration is not trained."""

    DUPLICATE = "duplicate"
    """Another trial has it."""
    SPACE = "space"
    """The space raised for it, or it is none of the space's configurations."""
    CONSTRAINT = "constraint"
    """Its network breaks a limit on the shipped model, or cannot be measured."""
    SURPLUS = "surplus"
    """It was drawn ahead, and the search was over."""


class Refusal(Frozen):
    """Why one configuration is not trained."""

    reason: RefusalReason
    """What other code goes by."""
    text: str
    """What people read, on one line."""


def record_refusal(trial: optuna.Trial, refusal: Refusal) -> None:
    """Keep that a configuration was not trained, and why; it counts as none of the search's trials."""
    trial.set_user_attr("refused", True)
    trial.set_user_attr("refusal", refusal.reason.value)
    trial.set_user_attr("reason", refusal.text)


def is_refused(trial: FrozenTrial) -> bool:
    """Whether a trial's configuration was never trained."""
    return bool(trial.user_attrs.get("refused", False))


def reason_of(trial: FrozenTrial) -> RefusalReason | None:
    """Why a trial was refused; None for one that was not."""
    if not is_refused(trial):
        return None
    kept = trial.user_attrs.get("refusal")
    return RefusalReason(kept) if kept in set(RefusalReason) else _reason_before(trial.user_attrs.get("reason", ""))


def _reason_before(text: str) -> RefusalReason:
    """The reason of a refusal that was recorded when studies kept its text alone."""
    if text.startswith("the same configuration as"):
        return RefusalReason.DUPLICATE
    return RefusalReason.SURPLUS if text == "the search was over" else RefusalReason.CONSTRAINT


def describe_refusals(trials: Iterable[FrozenTrial]) -> str:
    """`left out: 12 draws: 9 the space raised TrialPruned: too large, 3 ...`; empty where there are none."""
    found = [(reason_of(trial), trial.user_attrs.get("reason", "")) for trial in trials]
    shown = [(reason, text) for reason, text in found if text and reason not in {None, RefusalReason.SURPLUS}]
    if not shown:
        return ""
    groups: dict[str, Counter[str]] = {}
    for reason, text in shown:  # texts that differ in numbers alone are one
        same = "the same configuration as an earlier trial" if reason is RefusalReason.DUPLICATE else text
        groups.setdefault(NUMBER.sub("#", same), Counter())[same] += 1
    ranked = sorted(groups.values(), key=lambda group: -group.total())
    parts = [f"{group.total()} {_describe_group(group)}" for group in ranked[:MAX_SHOWN]]
    rest = len(shown) - sum(group.total() for group in ranked[:MAX_SHOWN])
    return f"left out: {len(shown)} draws: " + "; ".join([*parts, *([f"{rest} others"] if rest else [])])


def _describe_group(group: Counter[str]) -> str:
    """The most frequent of the group's texts, and whether there are others like it."""
    (text, count), *_ = group.most_common(1)
    return text if count == group.total() else f"such as {text}"
