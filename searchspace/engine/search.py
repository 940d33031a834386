"""The search: Ray Tune runs the searcher's trials on the gangs, and the rule holds back those that fall behind."""

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from searchspace.cli.interruption import LostError
from searchspace.ray_compat import TUNE_VARIABLES, make_tuner
from searchspace.spec import SearchSpec
from trainables.workers.gang_resources import HEAD

if TYPE_CHECKING:
    from searchspace.engine.searcher import StudySearcher
    from searchspace.stopping.rule import StoppingRule
    from trainables.workers.gang_pool import GangPool


def run_search(spec: SearchSpec, searcher: "StudySearcher", rule: "StoppingRule", pool: "GangPool") -> None:
    """Run what is left of `spec.trials` trials, or as many as the time budget holds.

    Returns earlier, with nothing closed, if the search is asked to stop; raises `LostError` when the broker is gone.
    All that is not over then can go on from the study.
    """
    # The study is the record; Tune's own files would only cost time, and its console only noise.
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_WARN_INSUFFICIENT_RESOURCE_THRESHOLD_S"] = "1000000"
    os.environ.update(TUNE_VARIABLES)
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # ours is `Interruption`
    # Tune would start one trial actor after another, and give up a start whenever another trial ends meanwhile, so that
    # no more slots are ever busy than starts fit into a trial. On a machine of its own the gangs come later anyway.
    pending = pool.resources.slots if spec.address else max(1, (os.cpu_count() or 1) // 2)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(pending)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    from ray import tune

    from searchspace.engine.scheduler import RungScheduler, SearchEnd
    from trainables.trial import Trial

    trainable = tune.with_resources(
        tune.with_parameters(Trial, broker=pool.broker), tune.PlacementGroupFactory([{"CPU": 0, **HEAD}])
    )
    seconds = spec.time_budget or float("inf")
    end = SearchEnd(seconds, lambda: pool.is_warm, lambda: searcher.is_stopping() and not pool.is_training())
    with tempfile.TemporaryDirectory(prefix="searchspace-tune-") as scratch:
        make_tuner(
            Path(scratch),
            trainable=trainable,
            tune_config=tune.TuneConfig(
                num_samples=-1,  # the searcher knows when it is over, and how many run at a time
                search_alg=searcher,
                scheduler=RungScheduler(rule, searcher.is_stopping),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name=spec.name, storage_path=scratch, verbose=0, stop=end),
        ).fit()
    if searcher.lost:
        raise LostError("the trial broker between the search and its gangs")
    if not searcher.is_stopping():
        searcher.end()
