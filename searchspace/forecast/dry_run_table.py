"""Output of a dry run: the timings, the models that cannot run, and the forecast of the search."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from searchspace.cli.output import print_lines
from searchspace.forecast.forecast import Forecast, format_duration
from searchspace.forecast.probing import Measurements
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.terminal_table import print_table
from searchspace.spec import SearchSpec
from trainables.training.timing import Timing
from trainables.workers.gang_resources import GangResources

JOURNAL_MB = 0.01
"""Size of one trial in the study's journal and MLflow's database, measured on digits."""
WEIGHT_COPIES = 4
"""Copies of the winner's weights, four bytes a weight: safetensors, ONNX, and MLflow's of both."""


def print_dry_run(
    found: Forecast | None, measured: Measurements, spec: SearchSpec, shape: GangResources, price: float, free_mb: float
) -> None:
    """Print timings and forecast; `found` is None where no configuration can run."""
    print_lines()
    print_table(to_rows(measured), f"{spec.data_name}: what one trial takes, {shape.slots} at a time")
    print_lines()
    lines = format_failures(measured)
    if found is not None:
        lines += [
            *format_estimates(found, measured, spec, shape, price),
            *format_warnings(found, measured, spec, shape, free_mb),
        ]
    print_lines(*lines)


def to_rows(measured: Measurements) -> list[Row]:
    """One row a model: times, parameters and memory of its configurations, and how many cannot be trained."""
    models = dict.fromkeys(timing.config.model for timing in measured.timings)
    return [_row(model, [t for t in measured.timings if t.config.model == model]) for model in models]


def _row(model: str, timings: Sequence[Timing]) -> Row:
    able = [timing for timing in timings if not timing.reason]
    row: dict[str, object] = {"model": model, "timed": len(able)}
    for name, choose in (("fastest", min), ("median", median), ("slowest", max)):
        row[f"{name} epoch"] = _short(choose([t.epoch_seconds for t in able])) if able else ""
    row["features, once"] = _short(once) if (once := max((t.once_seconds for t in able), default=0.0)) else ""
    row["parameters"] = _span([t.parameters for t in able])
    row["memory"] = _megabytes(max(t.memory_mb for t in able)) if able else ""
    row["cannot run"] = len(timings) - len(able) or ""
    return row


def _format_range(low: float, high: float) -> str:
    return f"{format_duration(low)} to {format_duration(high)}"


def _short(seconds: float) -> str:
    return (
        f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.3g} s" if seconds < 60 else format_duration(seconds)
    )


def _span(counts: Sequence[int]) -> str:
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _megabytes(amount: float) -> str:
    return f"{amount / 1000:.1f} GB" if amount >= 1000 else f"{amount:.0f} MB"


def format_failures(measured: Measurements) -> list[str]:
    """A line for each configuration that cannot run, or only with smaller micro-batches."""
    lines = []
    for timing in measured.timings:
        if timing.reason:
            lines.append(f"cannot run: {_name(timing)}: {timing.reason}")
        elif timing.micro_batch:
            lines.append(f"runs out of memory: {_name(timing)}; trained {timing.micro_batch} images at a time instead")
    return list(dict.fromkeys(lines))


def _name(timing: Timing) -> str:
    config = timing.config
    given = {name: value for name, value in config if name != "model" and name in config.model_fields_set}
    sizes = [name for name in ("width", "depth", "batch_size", "input_size", "freeze") if name in given]
    own = [f"{name}={value}" for name, value in config.custom.items()]
    return ", ".join([config.model, *own, *(f"{name}={given[name]}" for name in sizes)])


def format_estimates(
    found: Forecast, measured: Measurements, spec: SearchSpec, shape: GangResources, price: float
) -> list[str]:
    """One line each on time, memory, disk and, with a price an hour, money."""
    around = found.closing + found.start
    lines = [
        f"time    {format_duration(found.total)} ({_format_range(found.total_low, found.total_high)}): "
        f"{format_duration(found.search - found.start)} of search (some {found.epochs:,.0f} epochs), "
        f"{format_duration(found.finals)} of finals, {format_duration(around)} to start, test and export",
        *_by_best_family(found),
        _memory(measured, shape),
        _disk(found, measured, spec),
    ]
    if price:
        low, mean, high = (price * seconds / 3600 for seconds in (found.total_low, found.total, found.total_high))
        lines.append(f"money   {mean:,.2f} ({low:,.2f} to {high:,.2f}) at {price:g} an hour")
    return lines


def _by_best_family(found: Forecast) -> list[str]:
    """The duration by the family that does best, where there are several."""
    durations = ", ".join(
        f"{format_duration(seconds)} if {family} does best" for family, seconds in found.total_if.items()
    )
    return [f"        {durations}"] if len(found.total_if) > 1 else []


def _memory(measured: Measurements, shape: GangResources) -> str:
    worker = max(timing.memory_mb for timing in measured.timings)
    workers = shape.slots * shape.workers
    what = "of a GPU " if shape.gpus else ""
    return f"memory  {_megabytes(worker)} {what}a worker at most, {_megabytes(worker * workers)} for {workers} of them"


def _disk(found: Forecast, measured: Measurements, spec: SearchSpec) -> str:
    features = {timing.config.model: timing.features_mb for timing in measured.timings}
    parts = {
        "checkpoints": min(found.checkpoints_mb, 1000 * spec.keep_gb),
        "features": sum(features.values()),
        "study": spec.trials * JOURNAL_MB,
        "winner": WEIGHT_COPIES * 4e-6 * max(timing.parameters for timing in measured.timings),
    }
    listed = ", ".join(f"{name} {_megabytes(amount)}" for name, amount in parts.items() if amount)
    free = shutil.disk_usage(_existing(spec.folder)).free / 1e6
    return f"disk    {_megabytes(sum(parts.values()))} at most: {listed}; {_megabytes(free)} are free"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def format_warnings(
    found: Forecast, measured: Measurements, spec: SearchSpec, shape: GangResources, free_mb: float
) -> list[str]:
    """A line for each option that would make the search fail or end early."""
    lines = []
    needed = shape.slots * shape.workers * max(timing.memory_mb for timing in measured.timings)
    if not shape.gpus and not spec.address and needed > free_mb:
        lines.append(f"too little memory: {_megabytes(free_mb)} are free; lower --max-concurrent")
    if spec.time_budget and found.search >= found.start + 0.99 * spec.time_budget:
        lines.append(f"--time-budget {spec.time_budget:g}s: ends the search before its {spec.trials} trials are done")
    return lines
