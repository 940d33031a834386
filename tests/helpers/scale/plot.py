"""The picture of a driver's reach: four panels over the number of GPUs."""

from pathlib import Path
from typing import Any

COLOURS = ("#4477aa", "#228833", "#ccbb44", "#aa3377", "#66ccee", "#999999", "#ee6677")
PANELS = (
    ("utilisation", "GPUs' time spent in training, over the whole search", 100.0, "%", False),
    ("decision_p95", "from the report at a rung to the word to go on, 95th percentile", 1.0, "s", True),
    ("loop", "driver's loop is busy", 100.0, "%", False),
    ("head_gb", "memory of the head", 1.0, "GB", True),
)
"""Field of `Outcome`, title, factor, unit, and whether its axis is logarithmic."""


def plot(outcomes: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw all cases into `file`."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained")
    for axis, (field, title, factor, unit, logarithmic) in zip(axes.flat, PANELS, strict=True):
        for (name, found), colour in zip(outcomes.items(), COLOURS, strict=True):
            if "nothing" in name and field != "utilisation":
                continue  # a driver that costs nothing has no load, and nobody waits
            gpus = [int(number) for number in found]
            values = [factor * found[str(number)][field] for number in gpus]
            style = "--" if "default" in name else ":" if "," in name else "-"
            axis.plot(gpus, values, style, color=colour, marker="o", markersize=3, label=name)
        axis.set_xscale("log", base=2)
        if logarithmic:
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 105)
        every = [int(number) for number in next(iter(outcomes.values()))]
        axis.set_xticks(every, [f"{number:,}" for number in every], rotation=45)
        axis.set_title(f"{title} ({unit})", fontsize=9, loc="left")
        axis.grid(alpha=0.25)
    for axis in axes[1]:
        axis.set_xlabel("GPUs")
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), title="epoch of", loc="outside lower center", ncols=3, frameon=False
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=90)
    plt.close(figure)
