"""Replays other early-stopping settings on a search's recorded curves: `searchspace replay`."""

import math
from collections.abc import Sequence
from itertools import accumulate, product
from typing import Annotated, Any

import typer
from optuna.trial import FrozenTrial, TrialState

from searchspace.cli.options import with_options
from searchspace.cli.output import print_document
from searchspace.reporting.results import read_results, reading_search
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.board_view import PrintOptions
from searchspace.reporting.tables.table import Row
from searchspace.reporting.tables.terminal_table import print_table
from searchspace.spec import BudgetUnit, SearchSpec, parse_record
from searchspace.stopping.rules import SchedulerName, make_rule
from searchspace.stopping.rung import rungs
from searchspace.stopping.simulate_curves import Curve, simulate
from searchspace.storage.open_results import open_results
from searchspace.study.database import StorageOption, allow_storage
from searchspace.study.trial_attributes import read_config, read_curve
from trainables.common.errors import UserError
from trainables.config import Frozen
from trainables.models.model_registry import learning_kind

GRACE_SHARES = (1 / 18, 1 / 9, 1 / 6, 1 / 3)
"""First rungs to try, as shares of the full length."""
REDUCTION_FACTORS = (2, 3, 4)


class Setting(Frozen):
    """One way to stop early."""

    scheduler: SchedulerName
    """Rule."""
    budget_unit: BudgetUnit
    """What it compares at equal amounts of."""
    grace_epochs: int
    """First rung."""
    reduction_factor: int
    """One trial in this many continues."""


class Replay(Frozen):
    """The result of a replayed setting."""

    setting: Setting
    """The setting."""
    epochs: int
    """Epochs trained."""
    seconds: float
    """Seconds on as many slots as the search had, decisions not counted."""
    best: float | None
    """Best score at full length; None where no trial came that far."""
    unknown: int
    """Trials that would have gone on beyond what was recorded: with more than a few, the figures flatter."""


def recorded_curves(trials: Sequence[FrozenTrial]) -> list[Curve]:
    """Curves of a search's trials in the order they were asked for; a failure is minus infinity."""
    curves = []
    for trial in trials:
        reports = read_curve(trial)
        if reports:
            values = [-math.inf if report.status == "failed" else report.objective_value for report in reports]
            seconds = list(accumulate((report.total_seconds for report in reports), max))  # a failure says none
            curves.append(Curve(seconds, values, learning_kind(read_config(trial))))
    return curves


def settings_for(spec: SearchSpec) -> list[Setting]:
    """The search's own setting first, then a grid."""
    own = {name: getattr(spec, name) for name in Setting.model_fields}
    graces = sorted({max(1, round(share * spec.max_epochs)) for share in GRACE_SHARES})
    settings = [Setting(**own)]
    for scheduler, unit in (("asha", "epochs"), ("asha", "seconds"), ("pasha", "epochs")):
        for grace, factor in product(graces, REDUCTION_FACTORS):
            settings.append(Setting(scheduler=scheduler, budget_unit=unit, grace_epochs=grace, reduction_factor=factor))
    return list(dict.fromkeys(settings))


def replay(curves: Sequence[Curve], setting: Setting, max_epochs: int, slots: int) -> Replay:
    """Run `setting` over recorded curves; a trial that would continue beyond its curve ends there and is unknown."""
    levels = rungs(setting.grace_epochs, setting.reduction_factor, max_epochs)
    rule = make_rule(setting.scheduler, setting.budget_unit, levels, setting.reduction_factor)
    steps = list(simulate(curves, rule, slots))
    last = {step.observation.trial: step.observation for step in steps}
    full = [end.value for end in last.values() if end.epoch == max_epochs and end.value > -math.inf]
    cut = [
        trial
        for trial, end in last.items()
        if len(curves[trial].values) == end.epoch < max_epochs
        and end.value > -math.inf
        and rule.standing(trial) is None
    ]
    return Replay(
        setting=setting, epochs=len(steps), seconds=steps[-1].time if steps else 0.0,
        best=max(full, default=None), unknown=len(cut),
    )  # fmt: skip


def to_row(found: Replay, own: Replay) -> Row:
    """A line of the table; differences are to the search's own setting."""
    row: dict[str, Any] = found.setting.model_dump()
    row |= {
        "epochs": found.epochs,
        "seconds": round(found.seconds, 1),
        "time": f"{found.seconds / own.seconds:.0%}" if own.seconds else "",
        "best": round(found.best, 4) if found.best is not None else None,
        "unknown": found.unknown,
    }
    return row


def replay_rows(spec: SearchSpec, curves: Sequence[Curve], slots: int) -> list[Row]:
    """The table: the search's own setting first, then the others, the best first."""
    found = [replay(curves, setting, spec.max_epochs, slots) for setting in settings_for(spec)]
    rest = sorted(found[1:], key=lambda each: (-(-math.inf if each.best is None else each.best), each.seconds))
    return [to_row(each, found[0]) for each in (found[0], *rest)]


@with_options(PrintOptions, StorageOption)
def main(
    given: frozenset[str],  # noqa: ARG001
    folder: Annotated[str, typer.Argument(help="The search's folder or URL, such as results/digits.")],
    **options: Any,
) -> None:
    """Replay other early-stopping settings on the curves that a search recorded, without training.

    The first line is the search's own setting. `unknown` counts trials that would have gone on beyond their record:
    `--scheduler none` or `--audit` records more. Configurations are the search's own, in its order.

    Example: searchspace replay results/digits
    """
    allow_storage(options.pop("storage"))
    form, here = parse_record(PrintOptions, options).form, open_results(folder).folder
    results = read_results(here)
    spec, slots = results.spec, results.record.get("gangs", {}).get("slots", 1)
    with reading_search(here):
        curves = recorded_curves([t for t in results.study.get_trials(deepcopy=False) if t.state != TrialState.WAITING])
        if not curves:
            raise UserError(f"{folder!r}: no trial has recorded an epoch yet")
        rows = replay_rows(spec, curves, slots)
    if form == "table":
        print_table(rows, f"{spec.name}: {len(curves)} recorded trials replayed on {slots} slots")
    else:
        print_document(to_text(rows, form))


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    run_command(main)
