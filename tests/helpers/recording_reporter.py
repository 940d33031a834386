"""A reporter that keeps what it is given."""

from dataclasses import dataclass, field


@dataclass
class Told:
    """How far each work was reported to be."""

    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def progress(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))
