"""No early stopping: every trial runs its full length."""

from searchspace.stopping.rung import Mark, Standing


class FullLength:
    """Never holds a trial back."""

    def report(self, _mark: Mark) -> bool:
        """Train on."""
        return True

    def fail(self, trial: int, kind: str = "") -> None:  # one rule, one kind
        """Nothing depends on it."""

    def promote(self) -> int | None:
        """Nobody waits."""

    def go_on(self, trial: int) -> None:
        """Nobody waits."""

    def drain(self) -> None:
        """Nothing depends on it."""

    def standing(self, _trial: int) -> Standing | None:
        """Nobody waits."""
