"""The only test: metrics with intervals, classes, what is taken for what, and how far confidence can be trusted."""

from typing import Any

from searchspace.card.facts import Facts
from searchspace.card.markdown import paragraphs, table
from searchspace.proof.reliability import reliability, say_lean
from trainables.metrics import BINS

PAIRS = 10
"""Pairs of classes that are named."""


def tested(facts: Facts) -> str:
    """All metrics, then each class against the rest."""
    found = facts.metrics
    rows: list[dict[str, Any]] = [
        {"metric": name, "value": f"{value:.4f}", "95 % interval": f"{low:.4f} to {high:.4f}"}
        for name, value, low, high in (
            ("accuracy", found.accuracy, found.accuracy_low, found.accuracy_high),
            ("balanced accuracy (mean recall)", found.recall_macro, found.recall_macro_low, found.recall_macro_high),
            ("F1, mean over classes", found.f1_macro, found.f1_macro_low, found.f1_macro_high),
            ("log loss, nats", found.log_loss, found.log_loss_low, found.log_loss_high),
        )
    ]
    others = {"top-5 accuracy": found.top5, "calibration error": found.calibration_error}
    rows += [{"metric": n, "value": f"{v:.4f}", "95 % interval": ""} for n, v in others.items() if v is not None]
    method = "Intervals are of a bootstrap over the test images; the spread over trainings is below, at the finalists."
    return paragraphs(f"{found.count:,} images, opened once.", table(rows), method, table(_classes(facts)))


def _classes(facts: Facts) -> list[dict[str, Any]]:
    counts = facts.data.counts or (None,) * len(facts.metrics.classes)
    return [
        {"class": c.name, "precision": f"{c.precision:.4f}", "recall": f"{c.recall:.4f}", "F1": f"{c.f1:.4f}",
         "test images": c.count, "training images": trained}
        for c, trained in zip(facts.metrics.classes, counts, strict=True)
    ]  # fmt: skip


def confusions(facts: Facts) -> str:
    """Which classes are taken for which, the most frequent first."""
    matrix, classes = facts.metrics.confusion, facts.metrics.classes
    wrong = sorted(
        ((count, true, called) for true, row in enumerate(matrix) for called, count in enumerate(row)
         if count and true != called),
        key=lambda found: (-found[0], found[1:]),
    )  # fmt: skip
    if not wrong:
        return f"No test image of {facts.metrics.count:,} was wrong."
    rows = [
        {"true": classes[true].name, "taken for": classes[called].name, "images": count,
         "of that class": f"{count / classes[true].count:.1%}"}
        for count, true, called in wrong[:PAIRS]
    ]  # fmt: skip
    errors = sum(count for count, *_ in wrong)
    shown = "All pairs of classes" if len(wrong) <= PAIRS else f"The {PAIRS} most frequent of {len(wrong):,} pairs"
    return paragraphs(
        f"{errors:,} of {facts.metrics.count:,} test images were wrong. {shown}:", table(rows),
        "The whole matrix is in `confusion.csv` and `confusion.png`.",
    )  # fmt: skip


def calibration(facts: Facts) -> str:
    """How often it is right when it is so sure."""
    found = facts.predictions
    if found is None:
        return ""
    rows = [
        {"mean confidence": f"{mean:.1%}", "right": f"{right:.1%}", "images": int(count)}
        for mean, right, count in zip(*reliability(found), strict=True)
    ]
    return paragraphs(
        f"On the whole it is {say_lean(found)}: its mean confidence is {found.confidence.mean():.2%}, its accuracy "
        f"{facts.metrics.accuracy:.2%}. The expected calibration error, the mean distance of the two over {BINS} equal "
        f"bins of confidence, is {facts.metrics.calibration_error:.4f} (arXiv:1706.04599). Bins that have images:",
        table(rows),
    )  # fmt: skip
