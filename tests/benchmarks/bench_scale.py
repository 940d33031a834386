"""How far one driver carries: its costs, measured, and what comes of them with 10 to 4,096 GPUs, simulated.

    python tests/benchmarks/bench_scale.py [--only-model]

Measured, each with the project's own code: suggestions, reports and ends in studies of growing size; a message to the
broker among growing numbers of slots; Ray Tune's loop and wait; real searches on 2 to 16 slots whose gangs are played
by one process; memory, start and upkeep of a slot's processes on the head, of a real search. What matters is CPU
seconds, which other load does not change much; the load is in the record. The model (`scale/model.py`) is first held
against those real searches, then simulates. `--only-model` takes the costs from the record, and draws anew.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import FOLDER, percentile, write_record
from tests.helpers.scale.costs import Costs
from tests.helpers.scale.model import Setting, simulate
from tests.helpers.scale.plot import plot
from tests.helpers.scale.table import to_table

RUNS = ((2, 4, 60), (2, 80, 2), (8, 16, 30), (8, 120, 2), (16, 32, 15), (16, 160, 2))
"""Searches on played gangs: slots, trials, epochs of each."""
SIZES = (8, 64, 256, 1024)
GPUS = (10, 32, 64, 128, 256, 512, 1024, 2048, 4096)
EPOCHS = (10.0, 30.0, 120.0)
FREE = "30 s, a driver that costs nothing"


def measure() -> tuple[Costs, list[dict[str, float]], dict[str, Any]]:
    """All costs, the searches that the model is held against, and what else is worth keeping."""
    from scale import decide, head, letters, waiting

    from searchspace.cluster.connect import connected
    from searchspace.spaces import Task
    from trainables.data.store.store import prepare_data

    task = Task(data=prepare_data("digits"), models=("convnet", "resnet"), pretrained=frozenset(), gpu=True)
    seen = head.watch_search()
    suggest, hear = decide.measure(task, SIZES)
    letter = letters.measure((1, 8, 64, 512, 4096))
    with connected(""):
        wait, thread = waiting.measure((8, 64, 512, 2048), 256)
        seen |= head.watch_actors(task)
        runs = [_run(task, *run) for run in RUNS]
        asha = _asha(task)
        ramp = {"one start at a time": _ramp(task, ""), "all at once": _ramp(task, "auto")}
    print(json.dumps(seen), flush=True)
    growth = json.loads((FOLDER / "bench_growth.json").read_text())["figures"]["search"]
    most = max(growth, key=int)
    costs = Costs(
        suggest=suggest, hear=hear, end={1: 1e-6}, wait=wait, letter=letter, thread=thread,
        **_from_searches(runs, wait[8]),
        actor_start=seen["actor_start"], controller_start=seen["controller_start"],
        gang_start=seen["worker_start"] - head.REST * seen["worker_rest"],
        keep=seen["controller_rest"] + seen["actor_rest"], slot_mb=seen["controller_mb"] + seen["actor_mb"],
        base_mb=seen["driver_mb"] + seen["ray_mb"] + seen["mailbox_mb"],
        trial_mb=(growth[most]["driver_mb"] - growth["512"]["driver_mb"]) / (int(most) - 512),
    )  # fmt: skip
    return costs, runs, {"head": seen, "asha": asha, "ramp": ramp}


def _run(task: Any, slots: int, trials: int, epochs: int) -> dict[str, float]:
    from searchspace.spec import make_spec
    from tests.helpers.scale.loop import search

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        spec = make_spec(
            name=f"loop-{slots}-{epochs}", results=folder, trials=trials, max_epochs=epochs, grace_epochs=1,
            sampler="random", scheduler="none", address="auto",
        )  # fmt: skip
        used = search(spec, task, slots)[0].used
    used |= {"slots": slots, "trials": trials, "max_epochs": epochs, "tune": used["loop"] - used["engine"]}
    print(json.dumps(used), flush=True)
    return used


def _asha(task: Any, slots: int = 8, nap: float = 0.3) -> dict[str, float]:
    """A search with rungs, and what its gangs waited there."""
    from searchspace.spec import make_spec
    from tests.helpers.scale.loop import search

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        spec = make_spec(name="asha", results=folder, trials=48, sampler="random", address="auto")
        waits = search(spec, task, slots, nap)[1]
    return {
        "slots": slots,
        "nap": nap,
        "trials": 48,
        "n": len(waits),
        "p50": percentile(waits, 50),
        "p95": percentile(waits, 95),
    }


def _ramp(task: Any, address: str, slots: int = 8, nap: float = 0.5) -> float:
    """Epochs a second of short trials whose gangs are there before their trial actors, as on a large cluster.

    Without an `address`, two cores start one trial actor at a time, as Tune would anywhere.
    """
    from searchspace.spec import make_spec
    from tests.helpers.scale.loop import search

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        spec = make_spec(
            name="ramp", results=folder, trials=40, max_epochs=2, grace_epochs=1, sampler="random", scheduler="none",
            address=address,
        )  # fmt: skip
        used = search(spec, task, slots, nap, together=False)[0].used
    print(address or "alone", json.dumps(used), flush=True)
    return used["epochs"] / used["seconds"]


def _split(runs: list[dict[str, float]], key: str) -> tuple[float, float]:
    """Seconds a report and a go, of two searches on as many slots, one of long trials and one of short; medians."""
    found = []
    for long, short in zip(runs[::2], runs[1::2], strict=True):
        whole = long["epochs"] * short["goes"] - short["epochs"] * long["goes"]
        report = (long[key] * short["goes"] - short[key] * long["goes"]) / whole
        found.append((report, (short[key] - short["epochs"] * report) / short["goes"]))
    return statistics.median(one for one, _ in found), statistics.median(other for _, other in found)


def _from_searches(runs: list[dict[str, float]], wait: float) -> dict[str, float]:
    """The costs that only whole searches tell; `wait` is what a look of Tune's loop at so few futures takes."""
    others = [run | {"aside": run["Trainable"] + run["driver"] - run["loop"]} for run in runs]
    (result, go), (relay, reset) = _split(runs, "tune"), _split(others, "aside")
    long = [run for run in runs if run["epochs"] > 9 * run["goes"]]
    call = statistics.median(run["TrialBroker"] / run["epochs"] / 2 for run in long)
    return {"result": max(1e-6, result - wait), "go": go, "relay": relay, "reset": reset, "call": call}


def validate(costs: Costs, runs: list[dict[str, float]], asha: dict[str, float]) -> list[dict[str, float]]:
    """The model of each measured search, on this machine's cores: epochs a second, predicted and measured."""
    found = []
    searcher, ask = _split(runs, "engine")
    played, _ = _split(runs, "StandIn")
    cores = os.cpu_count() or 1
    here = costs.model_copy(update={
        "suggest": {1: max(ask, 1e-6)}, "hear": {1: max(searcher, 1e-6)}, "end": {1: 1e-6}, "controller_start": 0.0,
        "gang_start": 0.0, "actor_start": 0.0, "relay": costs.relay + max(played, 0.0), "keep": 0.0,
    })  # fmt: skip
    for run in runs:
        setting = Setting(
            slots=int(run["slots"]), trials=int(run["trials"]) * 10, epoch_seconds=1e-4, grace_epochs=0,
            max_epochs=int(run["max_epochs"]), cores=cores,
        )  # fmt: skip
        predicted, measured = simulate(setting, here).epochs_per_second, run["epochs"] / run["seconds"]
        found.append({
            "slots": run["slots"], "max_epochs": run["max_epochs"], "measured": measured, "predicted": predicted,
            "predicted / measured": predicted / measured,
        })  # fmt: skip
    rungs = Setting(slots=int(asha["slots"]), trials=int(asha["trials"]), epoch_seconds=asha["nap"], cores=cores)
    outcome = simulate(rungs, here)
    found.append({
        "decision_p50": asha["p50"], "predicted_p50": outcome.decision_p50, "decision_p95": asha["p95"],
        "predicted_p95": outcome.decision_p95, "predicted / measured": outcome.decision_p50 / asha["p50"],
    })  # fmt: skip
    return found


def costless(costs: Costs) -> Costs:
    """A driver and a head that cost nothing; only the gangs' workers still have to start."""
    kept = {"gang_start", "slot_mb", "base_mb", "trial_mb"}
    least = {name: {1: 1e-9} if isinstance(value, dict) else 1e-9 for name, value in costs.model_dump().items()}
    return Costs(**{name: getattr(costs, name) if name in kept else value for name, value in least.items()})


def simulate_all(costs: Costs, random: float) -> dict[str, dict[str, Any]]:
    """Outcomes by case and GPUs; `random` is what a suggestion at random costs."""
    cases: dict[str, dict[str, Any]] = {f"{seconds:g} s": {"epoch_seconds": seconds} for seconds in EPOCHS}
    cases["30 s, 8 GPUs a trial"] = {"epoch_seconds": 30.0, "workers": 8}
    cases["30 s, random sampler"] = {"epoch_seconds": 30.0}
    cases["30 s, Tune's default start"] = {"epoch_seconds": 30.0, "pending": 1}
    cases[FREE] = {"epoch_seconds": 30.0}
    found: dict[str, dict[str, Any]] = {}
    for name, case in cases.items():
        paid = costs.model_copy(update={"suggest": {1: random}}) if "random" in name else costs
        paid = costless(costs) if name == FREE else paid
        for gpus in GPUS if "pending" not in case else GPUS[:-2]:
            slots = max(1, gpus // case.get("workers", 1))
            started = time.perf_counter()
            setting = Setting(slots=slots, trials=round(slots * _trials_a_slot(slots)), **case)
            found.setdefault(name, {})[str(gpus)] = simulate(setting, paid).model_dump()
            print(name, gpus, f"{time.perf_counter() - started:.1f} s", found[name][str(gpus)], flush=True)
    return found


def _trials_a_slot(slots: int) -> float:
    """Fewer on many slots, where the rule takes the simulation's time: it sorts all trials at each decision."""
    return 4.0 if slots <= 512 else 2.0 if slots <= 1024 else 1.5


def main() -> None:
    """Measure, hold the model against it, simulate, draw, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only-model", action="store_true", help="take the costs from the record")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    if given.only_model:
        recorded = json.loads((FOLDER / "bench_scale.json").read_text())["figures"]
        runs, other = recorded["runs"], recorded["other"]
        costs = Costs(**recorded["costs"] | _from_searches(runs, recorded["costs"]["wait"]["8"]))
        load = recorded["load"]
    else:
        costs, runs, other = measure()
    print(costs.model_dump_json(indent=1), flush=True)
    checked = validate(costs, runs, other["asha"])
    for line in checked:
        print({key: round(value, 4) for key, value in line.items()}, flush=True)
    outcomes = simulate_all(costs, _split(runs, "engine")[1])
    for name, found in outcomes.items():
        print(f"\n{name}\n\n{to_table(found)}")
    plot(outcomes, FOLDER.parent / "pictures" / "scale.png")
    figures = {
        "unit": "seconds", "load": load, "costs": costs.model_dump(), "runs": runs, "other": other,
        "predicted": checked, "simulated": outcomes,
    }  # fmt: skip
    print(write_record("bench_scale", figures, [], n=1))


if __name__ == "__main__":
    main()
