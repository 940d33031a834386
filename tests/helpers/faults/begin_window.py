"""Begins searches without gangs, each in a process that is killed at another moment of it; what is left has to do.

    python -m tests.helpers.faults.begin_window FOLDER STORAGE lines|changes EVERY

Everything before the beginning is done once; then each moment is a fork. STORAGE is empty for a journal. Only one
moment in EVERY is tried. Prints how many moments there are.
"""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import searchspace.sampling.samplers
import searchspace.sampling.warm_start
import searchspace.study.study  # what a fork would load is loaded here  # noqa: F401
from searchspace.preparation.begin_study import begin_study, resume_study
from searchspace.preparation.early_checks import check_storage
from searchspace.preparation.plan import Plan, make_plan
from searchspace.preparation.preflight import check_name, local_resources
from searchspace.preparation.resume import how_to_resume, load_resumed_spec
from searchspace.spec import SearchSpec, load_spec, make_spec
from searchspace.storage.folder_contents import is_begun
from searchspace.storage.open_search import hold_search
from searchspace.storage.search_folder import JOURNAL, SEARCH_RECORD
from searchspace.storage.search_lock import LOCK_FILE
from searchspace.study.study import find_study
from tests.helpers.faults.moments import watch
from trainables.data.store.store import prepare_data

Waiting = list[tuple[dict[str, Any], dict[str, Any]]]


def begin_here(spec: SearchSpec, plan: Plan) -> None:
    """What the command does but for the data, Ray and gangs."""
    check_name(spec)
    check_storage(spec, resumed=False)
    with hold_search(spec, begun=False):
        begin_study(spec, plan)


def go_on(spec: SearchSpec, plan: Plan) -> None:
    """The same command again, or `--resume`, as its user is told."""
    if not is_begun(spec.results, spec.name):
        assert how_to_resume(spec) == "nothing was begun"
        begin_here(spec, plan)
        return
    resumed = load_resumed_spec(spec.name, {"results": spec.results}, frozenset())
    check_storage(resumed, resumed=True)
    with hold_search(resumed, begun=True):
        resume_study(resumed, plan)


def waiting_in(spec: SearchSpec) -> Waiting:
    """What waits in the search's study."""
    study = find_study(load_spec(spec.folder), spec.folder)
    assert study is not None
    return [(trial.system_attrs, trial.user_attrs) for trial in study.get_trials(deepcopy=False)]


def forked(work: Callable[[], None]) -> int:
    """Do it in a process of its own; its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(folder: str, storage: str, kind: str, every: str) -> None:
    """All moments, until there are no more; the first is none."""
    options: dict[str, Any] = {"results": folder, "trials": 4, "models": "convnet"}
    plan = make_plan(make_spec(**options), prepare_data("digits"), local_resources(), {})
    expected: Waiting = []
    for fatal in range(0, 1_000_000, int(every)):
        spec = make_spec(name=f"s{fatal}", storage=storage, **options)

        def cut_off(spec: SearchSpec = spec, fatal: int = fatal) -> None:
            watch(fatal, kind == "lines")
            begin_here(spec, plan)

        status = forked(cut_off)
        assert os.WIFSIGNALED(status) or status == 0, f"moment {fatal}: it failed"
        assert forked(lambda spec=spec: go_on(spec, plan)) == 0, f"moment {fatal}: it did not go on"  # type: ignore[misc]
        found = waiting_in(spec)
        expected = expected or found
        assert expected
        assert found == expected, f"moment {fatal}: {found}"
        left = {path.name for path in spec.folder.iterdir()} - {LOCK_FILE, SEARCH_RECORD, JOURNAL}
        assert all(name.endswith(".partial") for name in left), f"moment {fatal}: {left}"
        if fatal and status == 0:
            print(fatal - 1)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
