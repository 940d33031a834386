"""Numbers inside the sentences of README.md."""

from .marked import Part
from .records import Records, percent, show


def _leaderboard(records: Records) -> str:
    record = records["bench_leaderboard"]
    return f"{show(record.at('leaderboard', 'seconds')['median'])} s for {record.at('trials'):,} trials"


def _storage(records: Records) -> str:
    def of(way: str, kind: str) -> str:
        return show(records["bench_storage"].at(way, f"{kind}, ms")["median"])

    return (
        f"an epoch's report costs the search {of('postgresql', 'report')} ms instead of {of('journal', 'report')}, a "
        f"suggestion {of('postgresql', 'suggest')} instead of {of('journal', 'suggest')}"
    )


def _distil(records: Records) -> str:
    record = records["bench_distil_cifar10"]
    epochs = record.at("settings", "epochs")
    labels, taught = (record.at("ways", f"{way}, {epochs} epochs") for way in ("labels", "temperature 1"))
    gain = taught["accuracy above labels', by seed"]
    return (
        f"{percent(taught['accuracy'])} on validation images instead of {percent(labels['accuracy'])} on labels (median and "
        f"range of {labels['accuracy']['n']} seeds; paired difference {100 * gain['mean']:.1f} points, 95 % interval "
        f"{100 * gain['low']:.1f} to {100 * gain['high']:.1f})"
    )


def _gate(records: Records) -> str:
    return f"{show(records['bench_gate'].at('seconds', 'uncached')['median'])} s"


def _slot_memory(records: Records) -> str:
    return f"{show(records['bench_scale'].at('costs', 'slot_mb'))} MB"


SENTENCES: dict[str, Part] = {
    "leaderboard_time": _leaderboard,
    "storage_costs": _storage,
    "distilled": _distil,
    "gate_time": _gate,
    "slot_memory": _slot_memory,
}
