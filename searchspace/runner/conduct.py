"""Conducting a search: begun, or taken up where it stands, through to its winner, whatever is lost on the way."""

import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from searchspace.cli.interruption import EXPORT, Heeding, Interruption, LostError
from searchspace.cluster.connect import connected, losses_told
from searchspace.cluster.restart import begin_afresh
from searchspace.export import export_student, export_winner
from searchspace.preparation.begin_study import begin, take_up
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.prepare_data import prepared
from searchspace.preparation.record import gather_facts
from searchspace.preparation.resume import (
    how_to_resume,
    put_finished,
    resume_arguments,
    warn_of_changed_space,
)
from searchspace.progress.console_reporter import Clock
from searchspace.reporting.tables.table import to_text
from searchspace.reporting.tables.trials import rank_trials
from searchspace.runner.phases import UnderWay, search_and_prove
from searchspace.sampling.space_file import hash_file
from searchspace.spec import SearchSpec
from searchspace.storage.node_access import check_node_access
from searchspace.storage.open_search import hold_search
from searchspace.storage.search_folder import LEADERBOARD, SEARCH_LOG
from trainables.storage.files import write_file
from trainables.storage.folders import forbid_creating

if TYPE_CHECKING:
    import optuna

    from searchspace.forecast.live_forecast import LiveForecast
    from trainables.export.exported_files import ExportRecord
    from trainables.metrics.class_metrics import TestMetrics

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a search came to."""

    study: "optuna.Study"
    metrics: "TestMetrics"
    """Of the winner on the test split."""
    shipment: "ExportRecord"
    """The exported winner."""
    student: "ExportRecord | None"
    """Its exported student, if it has one."""
    forecasts: list[str]
    """A line on each forecast that was made."""


def conduct(spec: SearchSpec, clock: Clock, resumed: bool) -> Outcome:
    """Search, finals, test, export.

    Raises `UserError` before any worker starts if something given is wrong, `Interrupted` after a signal, and
    `LostError` if the cluster was lost too often: after these two the search can be resumed. Until then the command
    begins afresh, and resumes by itself.
    """
    with ExitStack() as held:
        check_early(spec, resumed)
        mirror = held.enter_context(hold_search(spec, begun=True)) if resumed else None
        if resumed:
            warn_of_changed_space(spec)
        ready = held.enter_context(prepared(spec, clock, resumed))
        # From here on no signal may raise wherever it happens to come: it could leave any library's lock held for ever.
        with (
            Interruption(clock, partial(how_to_resume, spec)) as interruption,
            connected(spec.address) as room,
        ):
            interruption.listen_again()
            plan = ready.plan(room)
            if spec.address:
                check_node_access(spec.home, spec.results)
            mirror = mirror or held.enter_context(hold_search(spec, begun=False))
            under_way = UnderWay(spec, plan, ready.gate, ready.student_gate, clock, interruption, mirror)
            return _carry_through(under_way, resumed)


def _carry_through(under_way: UnderWay, resumed: bool) -> Outcome:
    """Everything that a cluster is needed for, and what follows."""
    from searchspace.forecast.live_forecast import LiveForecast
    from searchspace.study.write_failure import end_search_on_write_failure
    from searchspace.tracking.background_upload import tracked

    spec, plan, clock = under_way.spec, under_way.plan, under_way.clock
    clock.keep_chatter(spec.folder / SEARCH_LOG)
    if resumed:
        study = take_up(spec, plan)
    else:
        study = begin(spec, plan, gather_facts() | plan.facts | {"space_sha256": hash_file(spec.space)})
    end_search_on_write_failure(study)
    forbid_creating(spec.folder)
    live_forecast = LiveForecast(spec, plan.task, plan.shape, study, clock, quiet=resumed)
    with tracked(spec):
        metrics = _survive(under_way, study, live_forecast)
        with under_way.interruption.within(EXPORT):
            return _conclude(under_way, study, live_forecast, metrics)


def _survive(under_way: UnderWay, study: "optuna.Study", live_forecast: "LiveForecast") -> "TestMetrics":
    """Search and prove; when the cluster is lost on the way, the command begins afresh."""
    from searchspace.study.database import STORAGE_VARIABLE, url_with_password
    from searchspace.study.write_failure import flush_or_rescue

    spec, clock = under_way.spec, under_way.clock
    try:
        with losses_told():
            metrics = search_and_prove(under_way, study, live_forecast)
    except LostError as error:
        flush_or_rescue(study, spec)
        under_way.interruption.check()
        logger.warning(f"lost {error}; going on from what is recorded")
        secrets = {STORAGE_VARIABLE: url_with_password(spec.storage)} if spec.storage else {}  # never on a command line
        clock.close()
        with suppress(OSError):  # whoever takes over here has it all; this is for who does elsewhere
            under_way.mirror.push()
        begin_afresh([*resume_arguments(spec), *clock.options], secrets, error)
    except Exception:
        flush_or_rescue(study, spec)  # what is wrong with its folder explains the rest
        raise
    flush_or_rescue(study, spec)  # others read it from here on
    return metrics


def _conclude(
    under_way: UnderWay, study: "optuna.Study", live_forecast: "LiveForecast", metrics: "TestMetrics"
) -> Outcome:
    """What follows the winner's test, and needs no gangs: boards, export, forecasts, report."""
    from searchspace.reporting.html.report_file import try_report
    from searchspace.reporting.model_card.card_file import try_cards
    from searchspace.study.write_failure import flush_or_rescue

    spec, clock = under_way.spec, under_way.clock
    write_file(spec.folder / LEADERBOARD, to_text(rank_trials(study), "csv").encode())
    logger.info("exporting the winner")
    clock.step("export of the winner", 0, 0)
    teller = Heeding(clock, under_way.interruption.check)
    shipment, student = export_winner(spec, spec.folder, teller), export_student(spec, spec.folder, teller)
    forecasts = live_forecast.close()
    clock.step("report", 0, 0)
    try_cards(spec.folder, study)
    try_report(spec.folder, study)
    put_finished(study, spec.trials)
    flush_or_rescue(study, spec)
    return Outcome(study, metrics, shipment, student, forecasts)
