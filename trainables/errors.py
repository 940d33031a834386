"""Errors that somebody can act on: a person, told thing, value and what is allowed in one line; or the worker."""


class UserError(Exception):
    """Something given by the user is wrong; commands print it as one line and exit with code 2."""


class OutOfMemoryError(RuntimeError):
    """A step did not fit, however small its micro-batch, or (with several workers) at this micro-batch."""

    def __init__(self, micro_batch: int) -> None:
        """Remember the micro-batch to try next; below 1 there is none."""
        super().__init__(f"out of memory; next micro-batch {micro_batch}")
        self.micro_batch = micro_batch
