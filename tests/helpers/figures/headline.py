"""The few figures that README.md shows: one line each, beside what others reach; docs/benchmarks.md has the rest."""

from collections.abc import Callable

from tests.helpers.figures.marked import Part
from tests.helpers.figures.quality import TPE_ASHA
from tests.helpers.figures.records import Record, Records, either, show, span

FOLDER = "results/benchmarks/"
RAYS_DEFAULT = "tpe, Ray's ASHA, its defaults"
BUDGETS = slice(2, 4)
"""Of the replay's budgets, the two in the middle."""
Line = Callable[[Record], tuple[str, str, str, str]]
"""What was measured, here, beside it, and n."""


def _search(r: Record) -> tuple[str, str, str, str]:
    ours, loop = r.at("ways", "searchspace"), r.at("ways", "optuna")
    return (
        f"{r.at('settings', 'trials')} trials of a CNN on digits, from the shell to the last trial",
        span(ours["seconds"], " s"),
        f"plain Optuna loop {span(loop['seconds'], ' s')}",
        str(r.n),
    )


def _first_step(r: Record) -> tuple[str, str, str, str]:
    ways = {name: span(r.at("ways", name), " s") for name in ("searchspace", "ray", "optuna")}
    beside = f"Ray's guide pattern {ways['ray']}; plain Optuna loop {ways['optuna']}"
    return "from the shell to the first training step", ways["searchspace"], beside, str(r.n)


def _replay(r: Record) -> tuple[str, str, str, str]:
    ways, hours = r.at("alexnet-imagenet", "ways"), r.at("alexnet-imagenet", "hours")[BUDGETS]

    def regret(way: str) -> str:
        pairs = zip(ways[way]["regret"][BUDGETS], ways[way]["plus_minus"][BUDGETS], strict=True)
        return either([f"{100 * value:.2f} ± {100 * half:.2f}" for value, half in pairs])

    return (
        f"points of top-1 that are missing after {either([show(h) for h in hours])} h of recorded trainings of AlexNet (± is 95 %)",
        regret(TPE_ASHA),
        f"TPE at full length {regret('tpe')}; TPE with Ray's ASHA {regret(RAYS_DEFAULT)}",
        f"{ways['random']['n']} orders",
    )


def _step(r: Record) -> tuple[str, str, str, str]:
    speed = {name: span(way["images_per_second"]) for name, way in r.at("ways").items()}
    return (
        f"training with augmentation, {r.at('settings', 'data')}, one thread, images/s",
        speed["searchspace, augmentation"],
        f"DataLoader with torchvision {speed['DataLoader']}",
        str(r.n),
    )


def _int8(r: Record) -> tuple[str, str, str, str]:
    network = "convnet-32"
    kinds = {kind: r.at(network, kind) for kind in ("onnx-int8", "onnx", "pytorch")}
    speed = {kind: span(found["images_per_second"]["32"]) for kind, found in kinds.items()}
    return (
        "the shipped INT8 file of a CIFAR-10 convnet in batches of 32, images/s; test accuracy",
        f"{speed['onnx-int8']}; {100 * kinds['onnx-int8']['accuracy']:.1f} %",
        f"eager PyTorch {speed['pytorch']}, float32 ONNX {speed['onnx']}; {100 * kinds['pytorch']['accuracy']:.1f} %",
        str(r.n),
    )


def _leaderboard(r: Record) -> tuple[str, str, str, str]:
    ours, optuna = (span(r.at(way, "seconds"), " s") for way in ("leaderboard", "optuna"))
    return f"a leaderboard of {r.at('trials'):,} trials", ours, f"Optuna's own table {optuna}", str(r.n)


LINES: dict[str, Line] = {
    "bench_search": _search,
    "bench_coldstart": _first_step,
    "bench_replay": _replay,
    "bench_step_digits": _step,
    "bench_export": _int8,
    "bench_leaderboard": _leaderboard,
}
"""By record, in the order of the table."""


def _headline(records: Records) -> str:
    lines = ["| | searchspace | beside it | n | machine, record |", "|---|---|---|---|---|"]
    for name, line in LINES.items():
        if name in records:
            record = records[name]
            cells = [*line(record), f"[{records.letter(record)}]({FOLDER}{name}.json)"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


HEADLINE_PARTS: dict[str, Part] = {"headline": _headline}
