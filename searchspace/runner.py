"""A search from its options to the exported winner: prepare, search, finals, test, export, report."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from searchspace.budget.allowance import Phase
from searchspace.budget.open_budget import open_budget
from searchspace.cli.interruption import EXPORT_TIMEOUT_S, InterruptibleReporter, Interruption
from searchspace.cluster.connect import connected
from searchspace.constraints.constraints import ConstraintChecker
from searchspace.constraints.feasibility import draw_sample
from searchspace.engine.events import EngineContext
from searchspace.export import ExportSources, export_student, export_winner
from searchspace.finals.audit import read_audit
from searchspace.finals.finalist import read_finalists
from searchspace.own_code.resumed_code import warn_of_changed_space
from searchspace.preparation.begin_study import open_study
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.plan import Plan, open_gangs
from searchspace.preparation.prepare_data import prepare_search_data
from searchspace.preparation.restart import restarting
from searchspace.preparation.resume import how_to_resume, write_finished
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.progress.make_listeners import make_listeners
from searchspace.progress.progress_tracker import ProgressTracker, TrialListener, call_all
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.trials import rank_trials
from searchspace.spec import SearchSpec, extend_record
from searchspace.storage.node_access import check_node_access
from searchspace.storage.open_search import hold_search
from searchspace.storage.search_folder import LEADERBOARD, SEARCH_LOG
from searchspace.study.refusals import describe_refusals
from trainables.storage.files import write_file

if TYPE_CHECKING:
    import optuna

    from searchspace.budget.budget_tracker import BudgetTracker
    from searchspace.finals.finalist import Finalist
    from searchspace.forecast.live_forecast import LiveForecast
    from trainables.export.exported_files import ExportRecord
    from trainables.metrics.class_metrics import TestMetrics
    from trainables.storage.folder_sync import FolderSync
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchResult:
    """The result of a search."""

    study: "optuna.Study"
    metrics: "TestMetrics"
    """Of the winner on the test split."""
    winner: "ExportRecord"
    """The exported winner."""
    student: "ExportRecord | None"
    """Its exported student, if it has one."""
    forecasts: list[str]
    """A line on each forecast that was made."""
    budget: "BudgetTracker"
    """What was taken."""


@dataclass(frozen=True)
class SearchRunner:
    """Runs one search: `prepare` makes a runner, `run` takes the other steps in their order."""

    spec: SearchSpec
    plan: Plan
    constraints: ConstraintChecker
    """Of the search and its winner."""
    student_constraints: ConstraintChecker
    """Of the winner's student."""
    study: "optuna.Study"
    folder_sync: "FolderSync"
    """Of the search's folder."""
    reporter: ConsoleReporter
    interruption: Interruption
    """Entered."""
    forecast: "LiveForecast"
    tracker: ProgressTracker
    follower: TrialListener
    """Keeps the tracker up to date, and shows it."""
    budget: "BudgetTracker"
    """What each phase took and may take."""

    @classmethod
    @contextmanager
    def prepare(cls, spec: SearchSpec, reporter: ConsoleReporter, resumed: bool = False) -> Iterator["SearchRunner"]:
        """Check the options, prepare the data, connect to Ray, plan, and begin the study or load the one to resume.

        Raises `UserError` before any worker starts if an option cannot work, and `Interrupted` after a signal. At the
        end of the block Ray is shut down, what is left is uploaded, and the search is released to other commands.
        """
        from searchspace.tracking.background_upload import tracked

        with ExitStack() as held:
            check_early(spec, resumed)
            folder_sync = held.enter_context(hold_search(spec, begun=True)) if resumed else None
            if resumed:
                warn_of_changed_space(spec)
            prepared = held.enter_context(prepare_search_data(spec, reporter, resumed))
            # From here on a signal raises between two steps alone: anywhere else it could leave a library's lock held.
            asked = Interruption(reporter, partial(how_to_resume, spec))
            with asked as interruption, connected(spec.address) as room:
                interruption.reinstall_handlers()
                plan = prepared.planner.plan(room)
                if spec.address:
                    check_node_access(spec.home, spec.results)
                folder_sync = folder_sync or held.enter_context(hold_search(spec, begun=False))
                reporter.redirect_output(spec.folder / SEARCH_LOG)
                reporter.search_started(spec)
                study = open_study(spec, plan, resumed)
                forecast, tracker = make_listeners(spec, plan, study, reporter, resumed)
                budget = open_budget(spec, plan, room, study, reporter)
                forecast.allowance = budget.allowance
                budget.show_change()
                with tracked(spec):
                    yield cls(
                        spec, plan, prepared.constraints, prepared.student_constraints, study, folder_sync, reporter,
                        interruption, forecast, tracker, reporter.show_progress_of(tracker), budget,
                    )  # fmt: skip

    def run(self) -> SearchResult:
        """Search, finals, test, export, report.

        Raises `Interrupted` after a signal, and `LostError` if the cluster was lost too often: the search can be
        resumed after both. Until then a lost cluster restarts the command, which resumes the search.
        """
        again = restarting(self.spec, self.study, self.folder_sync, self.reporter, self.interruption.check)
        with again, self._gangs() as pool:
            self.search(pool)
            self.finals(pool)
            metrics = self.test(pool)
        with self.interruption.exit_within(EXPORT_TIMEOUT_S):
            winner, student = self.export()
            return SearchResult(self.study, metrics, winner, student, self.report(), self.budget)

    def search(self, pool: "GangPool") -> None:
        """Train what is left of the trials on the gangs; raises `NoSlotLeftError` where no slot can train any more."""
        from searchspace.engine.convergence import make_convergence
        from searchspace.engine.family_chooser import make_family_chooser
        from searchspace.engine.search_engine import SearchEngine
        from searchspace.engine.suggest import ConfigSuggester
        from searchspace.engine.tune_adapter import run_search

        spec, space, task, context = self.spec, self.plan.space, self.plan.task, self._engine_context(pool)
        families = make_family_chooser(spec, space, task, self.study.get_trials(deepcopy=False), context)
        self.forecast.families = families
        suggester = ConfigSuggester(self.study, space, task, spec, self.constraints, families)
        rule = self.plan.make_rule()
        engine = SearchEngine(self.study, suggester, rule, spec, context, families)
        engine.convergence = make_convergence(spec, task, self.study, context, rule, families)
        run_search(self.spec, engine, pool, self.budget.allowance)
        self.interruption.check()
        pool.check_slots()
        self._end_phase(Phase.SEARCH)
        self.reporter.hide_search()
        self._log_search()
        extend_record(self.spec.folder, {"workers": [info.model_dump() for info in pool.known_gangs()]})

    def finals(self, pool: "GangPool") -> None:
        """Train the finalists from fresh seeds, retrain the winner on train + validation, and train its student."""
        from searchspace.finals.finals import run_finals
        from searchspace.finals.winner import retrain_winner

        winner = run_finals(self.spec, self.study, pool, self.reporter, self.budget.allowance, self.budget.can_win)[0]
        self.budget.set_winner(winner.members)
        self._end_phase(Phase.FINALS)
        retrain_winner(self.spec, self.study, winner, pool, self.reporter)
        if self.spec.distil:
            self._train_student(winner, pool)
        self._end_phase(Phase.WINNER)
        self.interruption.check()

    def test(self, pool: "GangPool") -> "TestMetrics":
        """Open the test split, once, and evaluate the winner and its student there; returns the winner's metrics."""
        from searchspace.finals.train_student import evaluate_student
        from searchspace.finals.winner import evaluate_winner

        logger.info("the test split is opened, once")
        self.reporter.progress("test", 0, 0)
        metrics = evaluate_winner(self.spec, self.plan.data.classes, pool)
        evaluate_student(self.spec, self.plan.data.classes, pool)
        self.reporter.winner_found(self.spec, read_finalists(self.study)[0], metrics)
        self._end_phase(Phase.TEST)
        return metrics

    def export(self) -> "tuple[ExportRecord, ExportRecord | None]":
        """Write the leaderboard, and export the winner and its student, if it has one; needs no gangs."""
        folder = self.spec.folder
        write_file(folder / LEADERBOARD, to_text(rank_trials(self.study), "csv").encode())
        logger.info("exporting the winner")
        self.reporter.progress("export of the winner", 0, 0)
        reporter = InterruptibleReporter(self.reporter, self.interruption.check)
        sources = ExportSources(raw_data=self.spec.data, allowance=self.budget.allowance)
        winner = export_winner(self.spec, folder, reporter, sources)
        student = export_student(self.spec, folder, reporter, sources)
        self._end_phase(Phase.EXPORT)
        return winner, student

    def report(self) -> list[str]:
        """Write model cards and report, and record that the search is finished; returns a line on each forecast."""
        from searchspace.reporting.html.report_file import write_report_or_warn
        from searchspace.reporting.model_card.card_file import write_cards_or_warn
        from searchspace.study.write_failure import flush_or_rescue

        forecasts = self.forecast.close()
        self.reporter.progress("report", 0, 0)
        write_cards_or_warn(self.spec.folder, self.study)
        write_report_or_warn(self.spec.folder, self.study)
        self.forecast.end(shown=not self.budget.is_limited)
        write_finished(self.study, self.spec)
        extend_record(self.spec.folder, self.budget.facts)
        self.budget.save_spent()
        flush_or_rescue(self.study, self.spec)
        self.reporter.phase_ended(Phase.REPORT)
        return forecasts

    def _end_phase(self, phase: Phase) -> None:
        self.forecast.end_phase(phase)
        self.budget.end_phase(phase)
        self.reporter.phase_ended(phase)

    @contextmanager
    def _gangs(self) -> Iterator["GangPool"]:
        """The gangs that train; while they start, the search is forecast."""
        when_warm = call_all(self.follower.on_gang_ready, self.forecast.on_gang_ready, self.budget.on_gang_ready)
        with open_gangs(self.plan, self.folder_sync, when_warm, self.interruption) as pool:
            self.reporter.phase_ended(Phase.PREPARATION)
            self.forecast.forecast_from_dry_run()
            yield pool

    def _engine_context(self, pool: "GangPool") -> EngineContext:
        return EngineContext(
            slots=self.plan.shape.slots,
            on_free=self.tracker.slot_time.on_free,
            listener=call_all(self.follower, self.forecast, self.budget),
            should_stop=lambda: self.interruption.is_requested() or not pool.has_slots,
            has_time=self.budget.has_time,
            allowance=self.budget.allowance,
            is_reachable=pool.is_reachable,
        )

    def _log_search(self) -> None:
        logger.info(self.tracker.describe_time())
        if refusals := describe_refusals(self.study.get_trials(deepcopy=False)):
            logger.info(refusals)
        if audit := read_audit(self.study):
            logger.info(audit.describe())

    def _train_student(self, winner: "Finalist", pool: "GangPool") -> None:
        from searchspace.finals.train_student import find_student, train_student

        starts, drawn = draw_sample(self.spec, self.plan.space, self.plan.task)
        student = find_student(self.spec, self.study, winner, starts + drawn, self.student_constraints, self.reporter)
        if student is not None:
            train_student(self.spec, student, pool, self.reporter)
