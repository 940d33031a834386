"""What idle gangs leave to the trials of the finals: their cores, on one machine without GPUs."""

import pytest

from trainables.config import Assignment, TrialConfig
from trainables.workers.gang_resources import GangResources, share_threads


def task(kind="final", threads=0, model="tf_efficientnet_lite0"):
    config = TrialConfig(model=model)
    return Assignment(trial="t", kind=kind, config=config, seed=0, max_epochs=1, folder="f", threads=threads)


def gangs(slots=4, workers=1, cpus=1.0, **changes):
    return GangResources(**{"slots": slots, "workers": workers, "cpus": cpus, "gpus": 0} | changes)


@pytest.mark.parametrize(
    ("resources", "running", "chosen", "threads"),
    [
        (gangs(), 0, 1, 4), (gangs(), 0, 2, 2), (gangs(), 0, 3, 0), (gangs(), 2, 1, 2), (gangs(), 3, 1, 0),
        (gangs(slots=2, workers=2), 0, 1, 2), (gangs(slots=2, cpus=3), 0, 1, 6), (gangs(slots=2, cpus=0.5), 0, 1, 0),
        (gangs(slots=1), 0, 1, 0),
    ],
)  # fmt: skip
def test_trainings_share_all_cores(resources, running, chosen, threads):
    begun = share_threads(resources, [task()] * chosen, [task()] * running)
    assert [each.threads for each in begun] == [threads] * chosen


def test_what_runs_on_more_threads_leaves_fewer():
    assert [each.threads for each in share_threads(gangs(), [task()], [task(threads=2)])] == [2]
    assert [each.threads for each in share_threads(gangs(), [task()], [task(threads=4)])] == [0]


@pytest.mark.parametrize("resources", [gangs(gpus=1), gangs(elastic=True)])
def test_no_cores_are_shared_with_gpus_or_between_nodes(resources):
    assert [each.threads for each in share_threads(resources, [task()], [])] == [0]


def test_timings_and_trials_of_the_search_keep_their_own_threads():
    assert [each.threads for each in share_threads(gangs(), [task("probe")], [])] == [0]
    assert [each.threads for each in share_threads(gangs(), [task("search")], [])] == [0]


def test_small_networks_keep_their_own_threads_and_the_test_takes_all():
    assert [each.threads for each in share_threads(gangs(), [task(model="convnet")], [])] == [0]
    assert [each.threads for each in share_threads(gangs(), [task("test", model="convnet")], [])] == [4]
