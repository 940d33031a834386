"""The one command: `searchspace run --trials 64` searches, proves, retrains, tests and exports."""

import logging
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from searchspace.cli.interruption import Interrupted, Interruption
from searchspace.cli.options import with_options
from searchspace.cli.output import print_document, print_errors, print_lines
from searchspace.cli.run_options import RunOptions, with_price
from searchspace.configuration.config_template import format_config
from searchspace.configuration.effective_options import effective_options
from searchspace.export import print_shipments
from searchspace.finals.baseline import majority_accuracy
from searchspace.finals.formatting import format_score_history, format_test_score, format_top5
from searchspace.leaderboard import print_board
from searchspace.own_code.collected_code import with_own_code
from searchspace.preparation import preflight
from searchspace.preparation.absolute_paths import with_absolute_paths
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.first_trials import first_trials
from searchspace.preparation.plan import make_plan, open_gangs
from searchspace.preparation.prepare_data import prepare_search_data, prepare_shared
from searchspace.preparation.resume import check_revived, format_folder, how_to_resume, is_finished, load_resumed_spec
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.progress.end_event import end_told
from searchspace.progress.live_screen import open_reporter
from searchspace.reporting.html import REPORT
from searchspace.reporting.model_card import CARD_FILE
from searchspace.reporting.results import read_results
from searchspace.reporting.tables.student_table import format_student
from searchspace.runner import SearchResult, SearchRunner
from searchspace.spec import SearchSpec, load_facts, make_spec, parse_record
from searchspace.storage.open_search import hold_search
from searchspace.storage.search_folder import TRIALS, trial_name
from trainables.common.errors import SearchEndedError, UserError

logger = logging.getLogger(__name__)


@with_options(SearchSpec, RunOptions)
@end_told()
def main(given: frozenset[str], **options: Any) -> None:
    """Find the best image classifier: search, retrain the finalists, test the winner once, export it.

    Example: searchspace run --data path/to/images --trials 64 --budget 1h
    """
    effective = effective_options(given, options)
    with effective.explaining_errors():
        options = dict(effective.values)
        run_options = parse_record(RunOptions, {name: options.pop(name) for name in RunOptions.model_fields})
        if run_options.print_config:
            return print_document(format_config(effective))
        reporter = open_reporter(run_options.verbose, run_options.price_per_hour)
        if run_options.revive is not None:
            check_revived(effective.given)
            return revive(run_options, options, effective.given, reporter)
        spec, resumed = _specify(run_options, options, effective.given), bool(run_options.resume)
        if run_options.dry_run:
            return dry_run(spec, run_options.price_per_hour, reporter)
        if resumed and is_finished(spec):
            board = f"searchspace leaderboard {format_folder(spec)}"
            return print_lines(f"search {spec.name!r} is finished; {board}")
        if not resumed:
            preflight.check_name(spec)
        with _end_explained(spec), reporter, SearchRunner.prepare(spec, reporter, resumed) as runner:
            result = runner.run()
    return _print_result(spec, result)


def _specify(run_options: RunOptions, options: dict[str, Any], given: Set[str]) -> SearchSpec:
    """The search that the options ask for; raises `UserError` for one that is wrong."""
    if run_options.dry_run and run_options.resume:
        raise UserError("--dry-run: is for a new search, and --resume for an existing one; give one of them")
    if run_options.resume:
        spec = load_resumed_spec(run_options.resume, options, given)
    else:
        spec = with_own_code(with_absolute_paths(make_spec(**options)))
    return with_price(spec, run_options.price_per_hour)


@contextmanager
def _end_explained(spec: SearchSpec) -> Iterator[None]:
    """Say how to resume the search where the block ends before it does."""
    try:
        yield
    except Interrupted:
        print_errors(f"interrupted; {how_to_resume(spec)}")
        raise
    except SearchEndedError as error:
        raise SearchEndedError(f"{error}; {how_to_resume(spec)}") from error


def dry_run(spec: SearchSpec, price: float, reporter: ConsoleReporter) -> None:
    """Time some configurations of each model on the gangs, and print what the search will take; leaves no results."""
    from searchspace.budget.open_budget import budget_seconds
    from searchspace.cluster.connect import connected
    from searchspace.forecast.dry_run import finish_dry_run, scratch_folder
    from searchspace.forecast.probing import draw_probes, measure_probes

    preflight.check_name(spec)
    with reporter:
        check_early(spec)
        with (
            prepare_search_data(spec, reporter) as prepared, Interruption(reporter, _again) as interruption,
            connected(spec.address) as room, scratch_folder(spec) as mirror,
        ):  # fmt: skip
            interruption.reinstall_handlers()
            plan, seconds = prepared.planner.plan(room), budget_seconds(spec, room)
            starts = first_trials(plan.space, plan.task, spec.pins)
            probes = draw_probes(plan.space, plan.task, spec, starts, prepared.constraints.refusal)
            with open_gangs(plan, mirror, lambda _slot, _info: None, interruption) as pool:
                measured = measure_probes(probes, spec, pool, mirror.folder, reporter)
    finish_dry_run(measured, spec, plan, seconds, price)


def revive(run_options: RunOptions, options: Mapping[str, Any], given: Set[str], reporter: ConsoleReporter) -> None:
    """Train a stopped trial of an earlier search on to its end; raises `UserError` where that cannot be."""
    from searchspace.cluster.connect import connected
    from searchspace.engine import revive as reviving
    from searchspace.study.study import load_own_study

    if not run_options.resume or run_options.revive is None:
        raise UserError(
            f"--revive {run_options.revive}: give --resume NAME too, the search that it is a stopped trial of"
        )
    spec = load_resumed_spec(run_options.resume, options, given).model_copy(update={"max_concurrent": 1})
    check_early(spec, resumed=True)
    with reporter, hold_search(spec, begun=True) as mirror:
        data = prepare_shared(spec, reporter, resumed=True)
        mirror.pull(part=f"{TRIALS}/{trial_name(run_options.revive)}")
        reviving.choose_revived(load_own_study(spec, spec.folder), spec, run_options.revive)
        with Interruption(reporter, _again) as interruption, connected(spec.address) as room:
            interruption.reinstall_handlers()
            plan = make_plan(spec, data, room, {})
            with open_gangs(plan, mirror, lambda slot, _info: logger.info(f"gang {slot} warm"), interruption) as pool:
                revived = reviving.revive(spec, run_options.revive, pool)
    print_lines(reviving.describe(load_own_study(spec, spec.folder), revived))


def _again() -> str:
    """The advice after an interrupted command that leaves nothing to resume."""
    return "the same command begins again"


def _print_result(spec: SearchSpec, result: SearchResult) -> None:
    study, metrics = result.study, result.metrics
    print_lines()
    results = read_results(spec.folder, study)
    print_board(results, top=5)
    counts = load_facts(spec.folder).get("data", {}).get("counts", ())
    top5 = f", top-5 {format_top5(metrics)}" if metrics.top5 is not None else ""
    print_lines(
        "",
        f"winner: {format_score_history(spec.metric, results.finalists[0], metrics)}",
        f"test, once, {metrics.count:,} images: accuracy {format_test_score('accuracy', metrics)}{top5}; "
        f"the most frequent class alone {majority_accuracy(metrics, counts):.2%}",
        f"  macro: precision {metrics.precision_macro:.4f}, recall {metrics.recall_macro:.4f}, "
        f"F1 {metrics.f1_macro:.4f}; calibration error {metrics.calibration_error:.4f}",
        *([line] if (line := format_student(results)) else []),
        "",
    )
    print_shipments(spec, format_folder(spec), result.winner, result.student)
    print_lines(
        "",
        *result.forecasts,
        *result.budget.describe(),
        f"report: {format_folder(spec)}/{REPORT}",
        f"model card: {format_folder(spec)}/winner/{CARD_FILE}",
        f"next: searchspace leaderboard {format_folder(spec)}",
    )


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    run_command(main, outlives_output=True)
