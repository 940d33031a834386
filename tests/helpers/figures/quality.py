"""Rows of how good searches and decisions are: without a clock, so from machines that did other things, too."""

from typing import Any

from tests.helpers.figures.records import Record, either, percent, show, span
from tests.helpers.figures.rows import Row, row

ASHA, TPE_ASHA = "asha, rungs at shares", "default (tpe, asha, rungs at shares)"
RAYS, TEACHER = "Ray's ASHA, our rungs", "teacher's accuracy"


def _points(found: dict[str, Any]) -> str:
    """Regrets in points, with their half-widths, by budget."""
    pairs = zip(found["regret"], found["plus_minus"], strict=True)
    return either([f"{100 * regret:.2f} ± {100 * half:.2f}" for regret, half in pairs])


@row("bench_replay", essential=True)
def _replay(r: Record) -> Row:
    ways = r.at("alexnet-imagenet", "ways")
    hours = either([show(hours) for hours in r.at("alexnet-imagenet", "hours")])
    beside = {
        "random": "random",
        "TPE, all at full length": "tpe",
        "TPE and Ray's ASHA with its defaults": "tpe, Ray's ASHA, its defaults",
        "TPE and Ray's ASHA at the same rungs": "tpe, Ray's ASHA, rungs at shares",
    }
    return Row(
        f"{r.at('settings', 'curves')['alexnet-imagenet']} recorded trainings of AlexNet on ImageNet, replayed on "
        f"{r.at('settings', 'slots')} slots: regret in points of top-1 after {hours} hours (± is 95 %)",
        f"TPE and ASHA with rungs at a ninth and a third of a trial's own schedule, as in a search: "
        f"{_points(ways[TPE_ASHA])}",
        "; ".join(f"{words} {_points(ways[way])}" for words, way in beside.items()),
        f"{ways['random']['n']} orders",
    )


@row("bench_replay")
def _replay_random(r: Record) -> Row:
    ways = r.at("alexnet-imagenet", "ways")
    beside = {
        "PASHA": "pasha, rungs at shares",
        "Ray's ASHA at the same rungs": "Ray's ASHA, rungs at shares",
        "ASHA with rungs in epochs": "asha",
        "PASHA with rungs in epochs": "pasha",
    }
    return Row(
        "the same in random order, without TPE",
        f"ASHA {_points(ways[ASHA])}",
        "; ".join(f"{words} {_points(ways[way])}" for words, way in beside.items()),
        f"{ways['random']['n']} orders",
    )


def _replay_own(data: str, words: str) -> None:
    @row("bench_replay")
    def _own(r: Record) -> Row:
        ways = r.at(data, "ways")
        budgets = either([f"1/{round(1 / share)}" for share in r.at("settings", "budgets")])
        return Row(
            f"{r.at('settings', 'curves')[data]} recorded convnets on {words}, random order: regret in points after "
            f"{budgets} of the time that random search takes for all",
            f"ASHA {_points(ways['asha'])}; PASHA {_points(ways['pasha'])}",
            f"random {_points(ways['random'])}; Ray's ASHA at the same rungs {_points(ways[RAYS])}",
            f"{ways['random']['n']} orders",
        )


_replay_own("digits", "digits")
_replay_own("fashion", "2,000 images of Fashion-MNIST")


@row("bench_guide", essential=True)
def _guide_digits(r: Record) -> Row:
    return _guide(r, "digits", "digits")


@row("bench_guide", essential=True)
def _guide_fashion(r: Record) -> Row:
    return _guide(r, "fashion-2000", "2,000 images of Fashion-MNIST")


def _guide(r: Record, data: str, words: str) -> Row:
    runs = r.at(data, "runs")
    cells = []
    for way, said in (("own", "own space"), ("same", "the guide's space")):
        cells.append(f"{said}: at full length {_reached(runs, way, 'at full length')}, within a standard error "
                     f"{_reached(runs, way, 'within a standard error, at full length')}; "
                     f"ends with {_listed(run[way]['best'] for run in runs)} after "
                     f"{either([str(run[way]['epochs']) for run in runs])} epochs")  # fmt: skip
    guide = f"ends with {_listed(run['guide']['best'] for run in runs)} after "
    return Row(
        f"epochs until a search has what Ray's guide pattern (the same TPE, Ray's ASHA, {r.at('settings', 'trials')} "
        f"trials) ends with, as a share of that one's; {words}, validation",
        "; ".join(cells),
        guide + f"{either([str(run['guide']['epochs']) for run in runs])} epochs",
    )


def _reached(runs: list[dict[str, Any]], way: str, key: str) -> str:
    """The share of the guide's epochs in each run, or that it was not reached."""
    shares = [run[way][key] and run[way][key] / run["guide"]["epochs"] for run in runs]
    return either([f"{share:.2f}" if share else "not reached" for share in shares])


def _listed(scores: Any) -> str:
    return either([f"{100 * score:.1f}" for score in scores]) + " %"


WAYS = {
    "averaged weights, fresh batch-norm statistics": "poly 3, fresh statistics",
    "raw weights, fresh statistics": "raw, fresh statistics",
    "raw weights": "raw",
}


def _ranks(r: Record, part: str, schedule: str, way: str) -> str:
    """Rank correlations at both rungs by data set, with intervals; of all, and of the better half."""
    cells = []
    for data, found in r.at(part, "data").items():
        mine = found["ways"][f"{schedule} {WAYS[way]}"]
        both = [f"{either([_ranked(mine, key, rung) for rung in ('2', '6')])}" for key in ("best", "best, upper half")]
        cells.append(f"{data} {both[0]}, better half {both[1]}")
    return f"{way}: {'; '.join(cells)}"


def _ranked(found: dict[str, Any], key: str, rung: str) -> str:
    low, high = found[f"{key}, 95 %"][rung]
    return f"{found[key][rung]:.2f} ({low:.2f}–{high:.2f})"


def _anytime(part: str, schedule: str, words: str, ways: tuple[str, ...]) -> None:
    @row("bench_anytime")
    def _made(r: Record) -> Row:
        recorded = r.at("settings", "recorded")
        counts = ", ".join(f"{data} {found['configurations']}" for data, found in r.at(part, "data").items())
        return Row(
            f"rank correlation of the score at epochs 2 / 6 of 18 with the best full-length score, random convnets, "
            f"{words} (95 %); curves of {recorded['date']}, {recorded['machine']['cores']} cores of "
            f"{recorded['machine']['cpu']}, {recorded['machine']['precision']}",
            _ranks(r, part, schedule, "averaged weights, fresh batch-norm statistics"),
            "; ".join(_ranks(r, part, schedule, way) for way in ways),
            f"configurations: {counts}",
        )


_anytime("averages", "cosine", "cosine schedule", ("raw weights, fresh statistics", "raw weights"))
_anytime("schedules", "triangular", "linear schedule, the default", ("raw weights, fresh statistics", "raw weights"))


@row("bench_anytime")
def _chosen(r: Record) -> Row:
    mean = r.at("averages", "mean")

    def cell(way: str) -> str:
        found = mean[f"cosine {WAYS[way]}"]
        top = either([f"{100 * found['top third'][rung]:.0f} %" for rung in ("2", "6")])
        return f"{way} {top}, {100 * found['regret']:.1f} points"

    ours, *others = WAYS
    return Row(
        "of 12 such configurations, how often the best is in the top third at epochs 2 / 6, and what halving by thirds at "
        "both loses; mean of the data sets, cosine schedule",
        cell(ours), "; ".join(cell(way) for way in others), "2,000 draws",
    )  # fmt: skip


@row("bench_distil_cifar10", essential=True)
def _distil(r: Record) -> Row:
    epochs, student = r.at("settings", "epochs"), r.at("student")
    labels, taught = (r.at("ways", f"{way}, {epochs} epochs") for way in ("labels", "temperature 1"))
    gain = taught["accuracy above labels', by seed"]
    points = f"{100 * gain['mean']:.1f} points (95 %: {100 * gain['low']:.1f} to {100 * gain['high']:.1f})"
    return Row(
        f"a student of width {student['width']} of a teacher of width {r.at('settings', 'teacher_width')} "
        f"({100 * r.at(TEACHER):.1f} %), {r.at('settings', 'train'):,} images of CIFAR-10, {epochs} epochs: "
        "validation accuracy",
        f"taught by the teacher's answers {percent(taught['accuracy'])}",
        f"the same on labels {percent(labels['accuracy'])}; paired difference {points}",
        f"{labels['accuracy']['n']} seeds",
    )


@row("bench_imbalance")
def _imbalance(r: Record) -> Row:
    def cell(way: str) -> str:
        found = r.at("ways", way)
        keys = ("test balanced accuracy", "test recall of the 3 rarest", "test recall of the 3 commonest")
        return "{}, the three rarest classes {}, the three commonest {}".format(*(percent(found[key]) for key in keys))

    images = r.at("settings", "images of each class")
    return Row(
        f"CIFAR-10 cut to {images[0]:,} … {images[-1]} images a class, {r.at('settings', 'trials')} trials: balanced "
        "accuracy on the (balanced) test split",
        cell("searched"), f"without `balance` in the space {cell('unweighted')}",
    )  # fmt: skip


@row("bench_cost")
def _cost(r: Record) -> Row:
    def cell(way: str) -> str:
        runs = r.at("runs", way)
        first = either([show(run["until 0.98"]) for run in runs])
        return f"{either([show(run['in all']) for run in runs])} s; until 98 % {first} s"

    return Row(
        f"{r.at('settings', 'trials')} trials on digits, tiny CNNs and whole EfficientNet-Lite0: training seconds in all",
        f"`--budget-unit seconds` {cell('seconds')}",
        f"`--budget-unit epochs` {cell('epochs')}: {span(r.at('ratios', 'in all'))} ×",
    )
