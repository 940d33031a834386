"""The table of cluster/README.md."""

from typing import Any


def to_table(outcomes: dict[str, Any]) -> str:
    """One case's outcomes, by GPUs, in markdown."""
    head = ("GPUs", "all gangs warm", "every slot trained", "time in training", "loop busy", "trial broker busy",
            "wait at a rung, p50 / p95", "next trial, p50 / p95", "head: cores", "head: GB")  # fmt: skip
    rows = [" | ".join(head), "|".join(["---:"] * len(head))]
    for gpus, found in outcomes.items():
        filled = f"{found['all_filled']:.0f} s" if found["all_filled"] is not None else "never"
        cells = (
            f"{int(gpus):,}", f"{found['all_warm']:.0f} s", filled, f"{100 * found['steady']:.1f} %",
            f"{100 * found['loop']:.1f} %", f"{100 * found['mailbox']:.1f} %",
            f"{1e3 * found['decision_p50']:.0f} / {1e3 * found['decision_p95']:.0f} ms",
            f"{1e3 * found['handover_p50']:.0f} / {1e3 * found['handover_p95']:.0f} ms",
            f"{found['cores']:.1f}", f"{found['head_gb']:.0f}",
        )  # fmt: skip
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row} |" if index != 1 else f"|{row}|" for index, row in enumerate(rows))
