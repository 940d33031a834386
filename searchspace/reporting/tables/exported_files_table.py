"""Tables of exported files: a row a format with its parity and cost, and a row a corruption with the accuracy left."""

from typing import Any

from searchspace.reporting.tables.table import Row
from trainables.augmentation.corruptions import CORRUPTIONS
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.exported_files import ExportedFile, ExportRecord
from trainables.export.robustness import Robustness
from trainables.metrics.intervals import WILSON


def exported_file_rows(shipment: ExportRecord) -> list[Row]:
    """One row a format, PyTorch first, which the others are compared with."""
    return [_row(artefact, shipment) for artefact in shipment.artefacts]


def format_dropped(shipment: ExportRecord) -> list[str]:
    """A line on each format that is not shipped."""
    return [f"{dropped.format} is not shipped: {dropped.reason}" for dropped in shipment.dropped]


def format_conditions(shipment: ExportRecord) -> str:
    """On what all of it was measured."""
    proven = shipment.artefacts[0].proof.count
    threads = "1 thread" if shipment.threads == 1 else f"{shipment.threads} threads"
    raw = max(artefact.proof.raw_count for artefact in shipment.artefacts)
    raw_files = f" and the pixels of {raw:,} raw test files" if raw else ""
    note = f" ({shipment.raw_note})" if shipment.raw_note else ""
    unmeasured = f"; not measured: {shipment.unmeasured}" if shipment.unmeasured else ""
    return (
        f"proven on {proven:,} test images{raw_files}{note}; measured on {shipment.machine}: "
        f"latency of one image on 1 thread, images/s on {threads}{unmeasured}"
    )


def _row(artefact: ExportedFile, shipment: ExportRecord) -> Row:
    proof, speed = artefact.proof, artefact.speed
    batches = dict.fromkeys(
        batch for each in shipment.artefacts for batch in each.speed.throughput
    )  # slow ones lack some
    return {
        "format": artefact.format,
        "recommended": "yes" if artefact.format == shipment.recommended else "",
        "MB": round(artefact.size_mb, 3),
        "accuracy": round(proof.accuracy, 4),
        "F1": round(proof.f1_macro, 4),
        "agreement": round(proof.agreement, 4),
        "logits_off_by": float(f"{proof.largest_difference:.1e}"),
        "mean": float(f"{proof.mean_difference:.1e}"),
        "latency_ms": round(speed.latency_ms, 3),
        "latency_p99_ms": round(speed.latency_p99_ms, 3),
        **{
            f"images/s_by_{batch}": round(speed.throughput[batch]) if batch in speed.throughput else ""
            for batch in batches
        },
        "memory_MB": round(speed.memory_mb),
        "file": artefact.file,
        "note": artefact.note,
    }


ROBUSTNESS_METHOD = (
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


def format_robustness(found: Robustness) -> str:
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


def cost_columns(cost: ArchitectureCost | None) -> dict[str, Any]:
    """What was measured of a network as it would be shipped: ms, MB and MB."""
    names = ("latency_ms", "size_mb", "memory_mb")
    return {name: getattr(cost, name) if cost else None for name in names}
