"""The study that a search goes by: begun, or taken up as it stands."""

import logging
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from searchspace.finals.baseline import TRIAL_ORIGIN, Origin
from searchspace.preparation.data_issues import keep_lists
from searchspace.preparation.plan import Plan
from searchspace.preparation.preflight import check_free
from searchspace.preparation.resume import record_resumption
from searchspace.spaces import default_space, default_trials
from searchspace.spec import SearchSpec, extend_record, load_facts, save_record
from searchspace.storage.folder_contents import names_in
from searchspace.study.creation import StudyAction, delete_draft, read_draft, write_draft

logger = logging.getLogger(__name__)

IDENTITY = "id"
"""Fact of the record: the search's identity, which its study has too."""


@dataclass(frozen=True)
class Start:
    """What a study begins with."""

    sampler: BaseSampler
    trials: list[tuple[Origin, dict[str, Any]]]
    """Values of those that wait in it, and where they are from."""


def begin(spec: SearchSpec, plan: Plan, facts: dict[str, Any]) -> optuna.Study:
    """Begin a search: its study with its first trials waiting, and last its record, made of `facts`.

    What can be wrong is raised as `UserError` before there is a record. A kill at any moment leaves a name that is
    free, or a search that can be resumed; what an earlier try left is replaced.
    """
    from searchspace.study.study_state import check_study

    check_free(spec.name, spec.home.url or str(spec.folder), names_in(spec.folder))  # now that nobody else is at it
    start = _prepare(spec, plan)
    search = identity(spec) or write_draft(spec.folder).search
    step = check_study(spec, search, recorded=False)
    keep_lists(plan.data, spec.folder)
    study = _make(spec, start, search, step)
    save_record(spec.folder, spec, {IDENTITY: search, **facts})
    delete_draft(spec.folder)
    return study


def take_up(spec: SearchSpec, plan: Plan) -> optuna.Study:
    """The study of a search that was begun, as it stands; it is begun now where there is none yet."""
    from searchspace.finals.winner import archive_winner, is_winner_outdated
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_trials
    from searchspace.study.study import continue_study
    from searchspace.study.study_state import check_study

    search = load_facts(spec.folder).get(IDENTITY, "")
    step = check_study(spec, search, recorded=True)
    if step == StudyAction.RESUME:
        earlier = earlier_trials(spec, plan.data, resumed=True)
        study = continue_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    else:
        logger.info(f"search {spec.name!r} had no study yet, and begins now")
        start = _prepare(spec, plan, resumed=True)
        if not search:
            search = identity(spec) or write_draft(spec.folder).search
            extend_record(spec.folder, {IDENTITY: search})
        study = _make(spec, start, search, step)
    delete_draft(spec.folder)
    record_resumption(spec, plan.data)
    if is_winner_outdated(study, spec.trials):
        archive_winner(spec, study)
    return study


def identity(spec: SearchSpec) -> str:
    """What a search without a record is known by: its URL, or what its draft says; empty where there is none yet."""
    draft = read_draft(spec.folder)
    return spec.home.url or (draft.search if draft else "")


def _prepare(spec: SearchSpec, plan: Plan, resumed: bool = False) -> Start:
    """The best of earlier searches, then the models' defaults. All that is read elsewhere is read here.

    Raises `UserError` for an earlier search that cannot be read.
    """
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_starts, earlier_trials

    trials: list[tuple[Origin, dict[str, Any]]] = [
        ("warm start", values) for values in earlier_starts(spec.warm_start, spec.pins)
    ]
    if plan.space is default_space:
        trials += [("default", values) for values in default_trials(plan.task, spec.pins)]
    earlier = earlier_trials(spec, plan.data, resumed)
    return Start(make_sampler(spec, plan.sampler, earlier, plan.shape.slots), trials[: spec.trials])


def _make(spec: SearchSpec, start: Start, search: str, step: StudyAction) -> optuna.Study:
    """The study, its first trials waiting in it, where other processes read it."""
    from searchspace.study.study import create_study, delete_study, flush_study, write_study_attribute
    from searchspace.study.study_state import BEGUN, SEARCH_ID

    if step == StudyAction.REPLACE or not spec.storage:  # an empty journal, too, and whatever lock is on it
        delete_study(spec)
    study = create_study(spec, start.sampler)
    write_study_attribute(study, SEARCH_ID, search)
    for origin, values in start.trials:
        study.enqueue_trial(values, user_attrs={TRIAL_ORIGIN: origin})
    write_study_attribute(study, BEGUN, True)
    flush_study(study)
    return study
