"""Retry policy: when failed work is tried again, what is logged, when to give up; pure, without a clock."""

import math
from enum import StrEnum

from trainables.config import Frozen


class RetryPolicy(Frozen):
    """How long and how often work is tried again."""

    first: float = 0.5
    """Seconds until the second try."""
    most: float = 10.0
    """Most seconds between two tries; each wait is twice the one before."""
    patience: float = 120.0
    """Seconds of failures after which the owner is told to give up; the work is tried on all the same."""


FOR_EVER = RetryPolicy(patience=math.inf)


class Change(StrEnum):
    """What a try changed."""

    NOTHING = "nothing"
    FAILED = "failed"
    """The first failure after it went well."""
    GIVEN_UP = "given up"
    """It has failed for as long as the owner has patience."""
    RECOVERED = "recovered"
    """The first success after failures."""


class Failures(Frozen):
    """Failures in a row."""

    tries: int = 0
    """How many."""
    since: float = 0.0
    """When the first came, in seconds of any steady clock."""
    given_up: bool = False
    """Whether the owner was told to give up."""


def after_failure(policy: RetryPolicy, before: Failures, now: float) -> tuple[Failures, Change]:
    """The failures with one more at the time `now`."""
    since = before.since if before.tries else now
    over = now - since >= policy.patience and not before.given_up
    after = Failures(tries=before.tries + 1, since=since, given_up=before.given_up or over)
    if over:
        return after, Change.GIVEN_UP
    return after, Change.NOTHING if before.tries else Change.FAILED


def after_success(before: Failures) -> tuple[Failures, Change]:
    """No failures any more."""
    return Failures(), Change.RECOVERED if before.tries else Change.NOTHING


def wait_after(policy: RetryPolicy, failures: Failures) -> float:
    """Seconds until the next try."""
    return min(policy.most, policy.first * 2.0 ** min(failures.tries - 1, 30)) if failures.tries else 0.0
