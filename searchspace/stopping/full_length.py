"""No early stopping: every trial runs its full length."""

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation, RungStanding


class FullLength(StoppingRule):
    """Never pauses a trial."""

    def report(self, observation: Observation) -> bool:  # noqa: ARG002  # the contract's signature
        """True."""
        return True

    def promote(self) -> int | None:
        """None: no trial is paused."""
        return None

    def resume(self, trial: int) -> None:
        """Nothing: no trial is paused."""

    def standing(self, trial: int) -> RungStanding | None:  # noqa: ARG002  # the contract's signature
        """None: no trial is paused."""
        return None
