"""A teller that remembers."""

from dataclasses import dataclass, field


@dataclass
class Told:
    """What was said, and how far each work was told to be."""

    said: list[str] = field(default_factory=list)
    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)

    def step(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))
