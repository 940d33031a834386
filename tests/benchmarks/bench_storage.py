"""What a study's storage costs the search: seconds in the searcher's own calls, with a journal and with PostgreSQL.

    python tests/benchmarks/bench_storage.py [--trials 64] [--repeats 3]

The whole of a search but its training: the real searcher, TPE and ASHA ask and are told, and scores are drawn.
PostgreSQL is Debian's, started for the purpose on loopback with its defaults, so every commit is flushed to disk. A
server across a network adds its round trips. Beside it, what results at a URL cost a trial: an assignment's visit with
nothing to fetch, and one with a checkpoint of 10 MB that is written and uploaded, on moto's server on loopback, whose
requests travel nowhere.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from searchspace.engine.events import EngineContext
from searchspace.engine.search_engine import SearchEngine
from searchspace.engine.suggest import ConfigSuggester
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec, make_spec
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import rungs
from searchspace.study.study import create_study, flush_study
from tests.helpers.benchmarks.record import percentile, summary, write_record
from tests.helpers.servers.postgres import running
from trainables.config import Assignment, Decision, EpochReport, TrialConfig
from trainables.data.store.store import prepare_data
from trainables.storage.search_storage import SearchStorage
from trainables.storage.trial_directory import open_trial_directory
from trainables.training.checkpoint import Checkpoint, write_checkpoint

SLOTS = 4


class Open:
    """A gate that lets everything through."""

    def ready(self, _config: TrialConfig) -> bool:
        return True

    def refuse(self, _trial: Any, _config: TrialConfig) -> None:
        return None


class Timed:
    """Milliseconds of each call, by what it was."""

    def __init__(self) -> None:
        self.ms: defaultdict[str, list[float]] = defaultdict(list)

    def __call__(self, kind: str, function: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        found = function(*arguments)
        self.ms[kind].append(1000 * (time.perf_counter() - started))
        return found


def search(spec: SearchSpec, task: Task) -> Timed:
    """A whole search on `SLOTS` slots in turn, without anything trained."""
    timed, rng = Timed(), random.Random(spec.seed)
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    study = create_study(spec, make_sampler(spec, "tpe"))
    suggester = ConfigSuggester(study, default_space, task, spec, Open())
    engine = SearchEngine(study, suggester, rule, spec, EngineContext(SLOTS, lambda *_: None))
    training: dict[str, Assignment] = {}
    while True:
        while len(training) < SLOTS and (found := timed("suggest", engine.suggest)) is not None:
            training[found.trial] = found
        if not training:
            break
        for assignment in list(training.values()):
            if _epoch(engine, timed, assignment, rng) is Decision.CONTINUE:
                training[assignment.trial] = assignment.model_copy(update={"known": assignment.known + 1})
            else:
                del training[assignment.trial]
    engine.end()
    flush_study(study)
    return timed


def _epoch(engine: SearchEngine, timed: Timed, task: Assignment, rng: random.Random) -> Decision:
    epoch = task.known + 1
    status: Any = "complete" if epoch == task.max_epochs else "running"
    report = EpochReport(trial=task.trial, epoch=epoch, score=rng.random(), status=status, total_seconds=float(epoch))
    kind = "last report" if status == "complete" or epoch in task.rungs else "report"
    decision: Decision = timed(kind, engine.on_report, report)
    return decision


def study_figures(url: str, trials: int, repeats: int, task: Task) -> dict[str, Any]:
    calls: dict[str, list[float]] = {"suggest": [], "report": [], "last report": []}
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            spec = make_spec(name=f"s{repeat}", results=folder, trials=trials, storage=url, seed=repeat)
            for kind, ms in search(spec, task).ms.items():
                calls[kind] += ms
    return {f"{kind}, ms": summary(ms) | {"p99": round(percentile(ms, 99), 2)} for kind, ms in calls.items()}


def url_figures(repeats: int) -> dict[str, Any]:
    """Of results at a URL: a visit with nothing to fetch, and a checkpoint."""
    import logging

    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    boto3.client("s3").create_bucket(Bucket="bench")
    timed = Timed()
    with tempfile.TemporaryDirectory() as folder:
        home = SearchStorage(folder=folder, url="s3://bench/results/s")
        kept = Checkpoint(1, 0, 1.0, (), {"weights": torch.zeros(2_500_000)})

        def visit(number: int) -> None:
            name = str(Path(folder, "trials", f"trial-{number}"))
            task = Assignment(trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder=name)
            with open_trial_directory(home, task, "0 0") as visited:
                if number % 2:
                    write_checkpoint(Path(visited.assignment.folder) / "checkpoints", kept)
                    visited.upload()

        for number in range(2 * 20 * repeats):
            timed("visit with a checkpoint of 10 MB" if number % 2 else "visit", visit, number)
    server.stop()
    return {f"{kind}, ms": summary(ms) for kind, ms in timed.ms.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    lite0 = "tf_efficientnet_lite0"
    task = Task(data=prepare_data("digits"), models=("convnet", lite0), pretrained=frozenset({lite0}), gpu=False)
    figures = {"trials": options.trials, "slots": SLOTS}
    figures["journal"] = study_figures("", options.trials, options.repeats, task)
    with running() as url:
        figures["postgresql"] = study_figures(url, options.trials, options.repeats, task)
    figures["results at a URL"] = url_figures(options.repeats)
    print(figures)
    print(write_record("bench_storage", figures, sys.argv[1:], n=options.repeats))


if __name__ == "__main__":
    main()
