"""Early stopping: Ray Tune's ASHA (arXiv:1810.05934), counted in epochs of this project's own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.tune.schedulers import AsyncHyperBandScheduler


def rungs(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Epochs at which ASHA decides, ascending; the full length is no rung."""
    found, rung = [], grace_epochs
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction_factor
    return tuple(found)


def make_scheduler(grace_epochs: int, reduction_factor: int, max_epochs: int) -> "AsyncHyperBandScheduler":
    """ASHA on the reports' `merit` against their `epoch`.

    Small validation splits give many equal scores, and equals are never stopped: on digits most trials ran to the end.
    """
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return AsyncHyperBandScheduler(
        time_attr="epoch", metric="merit", mode="max",
        max_t=max_epochs, grace_period=grace_epochs, reduction_factor=reduction_factor, brackets=1,
    )  # fmt: skip
