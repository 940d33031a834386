"""One row a corruption: how much accuracy is left at each strength."""

from searchspace.reporting.tables.table import Row
from trainables.augmentation.corruptions import CORRUPTIONS
from trainables.export.robustness import Robustness
from trainables.metrics.intervals import WILSON

METHOD = (
    "Corruptions and strengths, of 5, are those of CIFAR-10-C, Tiny-ImageNet-C or ImageNet-C (arXiv:1903.12261), "
    "whichever is nearest in image size. Nothing was chosen by these figures, and no training image was corrupted so "
    "unless augmentation did."
)


def robustness_rows(found: Robustness) -> list[Row]:
    """Accuracy by strength, weakest first, as text; the parameter that stands for it in brackets."""
    return [
        {
            "corruption": name,
            **{f"strength {e.strength}": f"{e.accuracy:.2%} ({e.parameter:g})" for e in entries},
            "in brackets": CORRUPTIONS[name].summary,
        }
        for name, entries in found.by_corruption().items()
    ]  # fmt: skip


def say_robustness(found: Robustness) -> str:
    """In two sentences, with the intervals of the accuracies."""
    worst = found.worst
    return (
        f"Of {found.count:,} test images as they are, {found.format} is right on {_say(found, found.clean)}; of the "
        f"same images corrupted, on {found.mean:.2%} on average. It loses most by {worst.corruption} at strength "
        f"{worst.strength}: {100 * (found.clean - worst.accuracy):.2f} points, which leaves "
        f"{_say(found, worst.accuracy)}."
    )


def _say(found: Robustness, accuracy: float) -> str:
    low, high = found.interval(accuracy)
    return f"{accuracy:.2%} (95 % {WILSON} interval {low:.2%} to {high:.2%})"
