"""Draws that were left out: configurations that a search was given and did not train, counted by reason."""

import re
from collections import Counter
from collections.abc import Iterable

from optuna.trial import FrozenTrial

from searchspace.study.trial_attributes import is_refused

SHOWN = 3
"""Reasons that a line names, the most frequent first."""
OVER = "the search was over"
"""Reason of a configuration that was drawn ahead and is not needed any more."""
NUMBER = re.compile(r"\d[\d,.]*")


def describe_refusals(trials: Iterable[FrozenTrial]) -> str:
    """`left out: 12 draws: 9 the space raised TrialPruned: too large, 3 ...`; empty where there are none."""
    reasons = [t.user_attrs.get("reason", "") for t in trials if is_refused(t)]
    reasons = [reason for reason in reasons if reason and reason != OVER]
    if not reasons:
        return ""
    groups: dict[str, Counter[str]] = {}
    for reason in reasons:  # reasons that differ in numbers alone are one
        groups.setdefault(NUMBER.sub("#", reason), Counter())[reason] += 1
    ranked = sorted(groups.values(), key=lambda group: -group.total())
    shown = [f"{group.total()} {_say(group)}" for group in ranked[:SHOWN]]
    rest = len(reasons) - sum(group.total() for group in ranked[:SHOWN])
    return f"left out: {len(reasons)} draws: " + "; ".join([*shown, *([f"{rest} others"] if rest else [])])


def _say(group: Counter[str]) -> str:
    """One of the group's reasons, and whether there are others like it."""
    (reason, count), *_ = group.most_common(1)
    if reason.startswith("the same configuration as"):
        return "the same configuration as an earlier trial"
    return reason if count == group.total() else f"such as {reason}"
