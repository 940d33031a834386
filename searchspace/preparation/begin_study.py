"""Begin the study of a new search, or load the study of one that is resumed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from searchspace.finals.baseline import TRIAL_ORIGIN, Origin
from searchspace.own_code.kept_code import write_code
from searchspace.preparation.data_issues import copy_image_lists
from searchspace.preparation.first_trials import default_trials, probe_trials
from searchspace.preparation.plan import Plan
from searchspace.preparation.preflight import check_name_free
from searchspace.preparation.record import collect_facts
from searchspace.preparation.resume import record_resumption
from searchspace.sampling.space_file import hash_file
from searchspace.spaces import default_space, draw_config
from searchspace.spec import SearchSpec, extend_record, load_facts, save_record
from searchspace.storage.folder_contents import names_in
from searchspace.study.creation import StudyAction, delete_draft, read_draft, write_draft
from trainables.config import TrialConfig
from trainables.custom.register import registered_code
from trainables.storage.folders import forbid_creating

logger = logging.getLogger(__name__)

IDENTITY = "id"
"""Fact of the record: the search's identity, which its study has too."""


@dataclass(frozen=True)
class StudyStart:
    """Sampler and first trials of a new study."""

    sampler: BaseSampler
    trials: list[tuple[Origin, dict[str, Any]]]
    """Where each first trial is from, and its parameters."""


def open_study(spec: SearchSpec, plan: Plan, resumed: bool) -> optuna.Study:
    """Begin the study, or load that of a search that is `resumed`; from here on a write failure ends the search.

    Its folder is not made again where it is deleted while the search runs.
    """
    from searchspace.study.write_failure import end_search_on_write_failure

    study = resume_study(spec, plan) if resumed else begin_study(spec, plan)
    end_search_on_write_failure(study)
    forbid_creating(spec.folder)
    return study


def begin_study(spec: SearchSpec, plan: Plan) -> optuna.Study:
    """Begin a search: create its study with its first trials enqueued, and last write its record.

    What can be wrong is raised as `UserError` before there is a record. A kill at any moment leaves a name that is
    free, or a search that can be resumed; what an earlier try left is replaced.
    """
    from searchspace.study.study_state import check_study

    check_name_free(spec.name, spec.home.url or str(spec.folder), names_in(spec.folder))  # again, now that it is held
    start = _prepare(spec, plan)
    search = read_identity(spec) or write_draft(spec.folder).search
    step = check_study(spec, search, recorded=False)
    copy_image_lists(plan.data, spec.folder)
    study = _make(spec, start, search, step)
    facts = collect_facts() | plan.record_fields | {"space_sha256": hash_file(spec.space)}
    save_record(spec.folder, spec, {IDENTITY: search, **facts, **write_code(spec.folder, registered_code())})
    delete_draft(spec.folder)
    return study


def resume_study(spec: SearchSpec, plan: Plan) -> optuna.Study:
    """Load the study of a search that was begun; begin it where there is none yet."""
    from searchspace.finals.winner import archive_winner, is_winner_outdated
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import read_earlier_trials
    from searchspace.study.study import continue_study
    from searchspace.study.study_state import check_study

    search = load_facts(spec.folder).get(IDENTITY, "")
    step = check_study(spec, search, recorded=True)
    if step == StudyAction.RESUME:
        earlier = read_earlier_trials(spec, plan.data, _draw_from(spec, plan), plan.sampler, resumed=True)
        study = continue_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    else:
        logger.info(f"search {spec.name!r} had no study yet, and begins now")
        start = _prepare(spec, plan, resumed=True)
        if not search:
            search = read_identity(spec) or write_draft(spec.folder).search
            extend_record(spec.folder, {IDENTITY: search})
        study = _make(spec, start, search, step)
    delete_draft(spec.folder)
    record_resumption(spec, plan.data)
    if is_winner_outdated(study, spec.trials, spec.budget):
        archive_winner(spec, study)
    return study


def read_identity(spec: SearchSpec) -> str:
    """Identity of a search without a record: its URL, or that of its draft; empty where there is neither."""
    draft = read_draft(spec.folder)
    return spec.home.url or (draft.search if draft else "")


def _prepare(spec: SearchSpec, plan: Plan, resumed: bool = False) -> StudyStart:
    """Choose the first trials: probes, the best of earlier searches, the models' defaults, some of the portfolio.

    Reads all other folders. Raises `UserError` for an earlier search that cannot be read.
    """
    from searchspace.priors.portfolio import count_portfolio_trials, portfolio_trials, read_portfolio
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import choose_warm_start, read_earlier_trials

    draw, task, is_default = _draw_from(spec, plan), plan.task, plan.space is default_space
    probes = probe_trials(task, spec.pins) if is_default else []
    defaults = default_trials(task, spec.pins) if is_default else []
    count = count_portfolio_trials(spec.trials) if is_default else 0
    tried: dict[Origin, list[dict[str, Any]]] = {
        "probe": probes,
        "warm start": choose_warm_start(spec, draw),
        "default": defaults,
        "portfolio": portfolio_trials(read_portfolio(), task, draw, defaults, count),
    }
    trials = [(origin, values) for origin, each in tried.items() for values in each]
    earlier = read_earlier_trials(spec, plan.data, draw, plan.sampler, resumed)
    return StudyStart(make_sampler(spec, plan.sampler, earlier, plan.shape.slots), trials[: spec.trials])


def _draw_from(spec: SearchSpec, plan: Plan) -> Callable[[optuna.Trial], TrialConfig]:
    """Draws a configuration of this search for a trial."""
    return lambda trial: draw_config(plan.space, trial, plan.task, spec.pins)


def _make(spec: SearchSpec, start: StudyStart, search: str, step: StudyAction) -> optuna.Study:
    """Create the study with its first trials enqueued, and flush it for other processes."""
    from searchspace.study.study import create_study, delete_study, flush_study, write_study_attribute
    from searchspace.study.study_state import BEGUN, SEARCH_ID

    if step == StudyAction.REPLACE or not spec.storage:  # an empty journal too, with any lock on it
        delete_study(spec)
    study = create_study(spec, start.sampler)
    write_study_attribute(study, SEARCH_ID, search)
    for origin, values in start.trials:
        study.enqueue_trial(values, user_attrs={TRIAL_ORIGIN: origin})
    write_study_attribute(study, BEGUN, True)
    flush_study(study)
    return study
