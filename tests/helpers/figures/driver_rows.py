"""Rendered parts of cluster/README.md: what one driver costs, and how many GPUs it carries."""

from typing import Any

from tests.helpers.figures.marked import Part
from tests.helpers.figures.records import Record, Records, either, show

FREE = "30 s, a driver that costs nothing"


def _time(seconds: float) -> str:
    return f"{show(1e3 * seconds)} ms" if seconds < 1 else f"{show(seconds)} s"


def _ms(costs: dict[str, float]) -> str:
    """Costs by size, in milliseconds."""
    return either([show(1e3 * cost) for cost in costs.values()])


def _measured(records: Records) -> str:
    record = records["bench_scale"]
    costs, letters = record.at("costs"), list(record.at("costs", "letter").values())
    sizes = list(costs["suggest"])
    listed = either([f"{int(size):,}" for size in sizes])
    waits = list(costs["wait"].values())
    rows = {
        f"a suggestion (TPE) with {listed} trials in training, and four times as many in the study": _ms(
            costs["suggest"]
        ),
        "one report, in searcher, study (journal) and rule, at the same sizes": _ms(costs["hear"]),
        "the end of one go of a trial, likewise": _ms(costs["end"]),
        f"Ray Tune's loop: one report / beginning and ending a go / one look at {' and at '.join(_ends(costs['wait']))} "
        "slots": f"{show(1e3 * costs['result'])} / {show(1e3 * costs['go'])} / {show(1e3 * waits[0])} and "
        f"{show(1e3 * waits[-1])}",
        f"one message to the trial broker: its own part, from {' to '.join(_ends(costs['letter']))} slots / with Ray's": (
            f"{show(1e3 * min(letters))}–{show(1e3 * max(letters))} / {show(1e3 * (costs['call'] + letters[0]))}"
        ),
        "a slot's part of the head: memory / cores / to start its two processes": (
            f"{show(costs['slot_mb'])} MB / {show(costs['keep'])} / "
            f"{show(costs['actor_start'] + costs['controller_start'])} s of a core"
        ),
        "a gang's worker, from its process to ready, on its node": f"{show(costs['gang_start'])} s of a core",
    }
    head = (
        f"\n\n**What was measured** ([record](../results/benchmarks/bench_scale.json); milliseconds of one core of "
        f"{record.machine}, load average before {show(record.at('load'))}; n = 1 run):\n\n| | |\n|---|---|\n"
    )
    return head + "\n".join(f"| {topic} | {cell} |" for topic, cell in rows.items()) + "\n\n"


def _ends(by_size: dict[str, Any]) -> list[str]:
    return [f"{int(size):,}" for size in (min(by_size, key=int), max(by_size, key=int))]


def _validity(records: Records) -> str:
    """How far the model is from the searches it was held against."""
    checked = records["bench_scale"].at("predicted")
    ratios = [line["predicted / measured"] for line in checked if "measured" in line]
    rung = next(line for line in checked if "decision_p50" in line)
    return (
        f"Held against {len(ratios)} real searches on 2 to 16 slots whose training was played, it predicts {min(ratios):.1f} "
        f"to {max(ratios):.1f} times the epochs a second that they had, and {_time(rung['predicted_p50'])} of wait at a rung "
        f"where {_time(rung['decision_p50'])} were measured"
    )


def _simulated(records: Records) -> str:
    """The table of 30 s epochs, over whole searches, and what other epochs change."""
    record = records["bench_scale"]
    cases = record.at("simulated")
    head = (
        "| GPUs | trials | all gangs warm | GPUs training, whole search | the same with a driver that costs nothing | "
        "GPUs training while there are trials for all | loop busy | wait at a rung, 95 % | next trial, 95 % | head: cores | "
        "head: GB |"
    )
    lines = [head, "|" + "---:|" * 11]
    for gpus, found in cases["30 s"].items():
        lines.append(_line(f"{int(gpus):,}", found, f"{100 * cases[FREE][gpus]['utilisation']:.0f} %"))
    most = max(cases["30 s, 8 GPUs a trial"], key=int)
    lines.append(_line(f"{int(most):,}, eight to a trial", cases["30 s, 8 GPUs a trial"][most], ""))
    return "\n\n" + "\n".join(lines) + f"\n\n{_others(record)}\n\n"


def _line(gpus: str, found: dict[str, Any], free: str) -> str:
    cells = (
        gpus, f"{found['trials']:,}", _time(found["all_warm"]), f"{100 * found['utilisation']:.0f} %", free,
        f"{100 * found['steady']:.1f} %", f"{100 * found['loop']:.1f} %", _time(found["decision_p95"]),
        _time(found["handover_p95"]), f"{found['cores']:.0f}", f"{found['head_gb']:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _others(record: Record) -> str:
    def steady(case: str, gpus: int) -> str:
        return f"{100 * record.at('simulated', case, str(gpus))['steady']:.0f} % with {gpus:,}"

    return (
        "Each line is one draw (n = 1): how long the last trials' epochs happen to be moves the whole search's share so much that "
        "it may be above that of a driver that costs nothing. While there are trials for all, with epochs of 10 s the GPUs train "
        f"{steady('10 s', 512)} and {steady('10 s', 1024)} one-GPU trials, with epochs of 120 s {steady('120 s', 2048)} and "
        f"{steady('120 s', 4096)}; with `--sampler random` and epochs of 30 s {steady('30 s, random sampler', 2048)} and "
        f"{steady('30 s, random sampler', 4096)}."
    )


DRIVER_PARTS: dict[str, Part] = {
    "driver_costs": _measured,
    "driver_validity": _validity,
    "driver_reach": _simulated,
}
