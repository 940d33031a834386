"""One row a format that the winner is exported to: what was proven and measured of it."""

from searchspace.reporting.tables.table import Row
from trainables.export.exported_files import ExportedFile, ExportRecord


def artefact_rows(shipment: ExportRecord) -> list[Row]:
    """One row a format, PyTorch first, which the others are compared with."""
    return [_row(artefact, shipment) for artefact in shipment.artefacts]


def tell_dropped(shipment: ExportRecord) -> list[str]:
    """A line on each format that is not shipped."""
    return [f"{dropped.format} is not shipped: {dropped.reason}" for dropped in shipment.dropped]


def say_conditions(shipment: ExportRecord) -> str:
    """On what all of it was measured."""
    proven = shipment.artefacts[0].proof.count
    threads = "1 thread" if shipment.threads == 1 else f"{shipment.threads} threads"
    return (
        f"proven on {proven:,} test images; measured on {shipment.machine}: latency of one image on 1 thread, "
        f"images/s on {threads}"
    )


def _row(artefact: ExportedFile, shipment: ExportRecord) -> Row:
    proof, speed = artefact.proof, artefact.speed
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
        **{f"images/s_by_{batch}": round(rate) for batch, rate in speed.throughput.items()},
        "memory_MB": round(speed.memory_mb),
        "file": artefact.file,
        "note": artefact.note,
    }
