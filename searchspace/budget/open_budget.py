"""Opens the budget of a search: its seconds on this cluster, what earlier parts took, what is known of its costs."""

import math
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_tracker import BudgetTracker
from searchspace.budget.cost_estimates import Workload
from searchspace.budget.phase_times import PhaseStopwatch
from searchspace.budget.presets import PRESETS
from searchspace.budget.trial_costs import TrainingCosts
from searchspace.forecast.known_times import read_closing_times
from searchspace.study.study import parse_study_attribute, write_study_attribute
from searchspace.study.trial_attributes import read_curve

if TYPE_CHECKING:
    import optuna

    from searchspace.cluster.placement import Room
    from searchspace.preparation.plan import Plan
    from searchspace.progress.progress_tracker import Stopwatch
    from searchspace.spec import SearchSpec

SPENT = "spent seconds"
"""Attribute of the study: seconds that all parts of a search with a budget have taken so far."""


def budget_seconds(spec: "SearchSpec", room: "Room") -> float:
    """Seconds of the search's budget on the cluster, infinite without one; raises `UserError` as `Budget` does."""
    if spec.budget is None:
        return math.inf
    return spec.budget.seconds(sum(node.gpus * node.count for node in room.nodes))


def open_budget(
    spec: "SearchSpec", plan: "Plan", room: "Room", study: "optuna.Study", stopwatch: "Stopwatch"
) -> BudgetTracker:
    """The tracker of a search whose data are prepared and whose gangs have not been started."""
    seconds = budget_seconds(spec, room)
    costs = TrainingCosts(spec.max_epochs, spec.finalists, spec.final_seeds, max(1, spec.folds))
    earlier = 0.0
    if spec.budget is not None:
        earlier = parse_study_attribute(study, SPENT, TypeAdapter(float)) or 0.0
        for trial in study.get_trials(deepcopy=False):
            for report in read_curve(trial):
                costs.add(trial.number, report)
    times = PhaseStopwatch(lambda: stopwatch.seconds, earlier, lambda spent: write_study_attribute(study, SPENT, spent))
    return BudgetTracker(seconds, PRESETS[spec.preset].shares, make_workload(spec, plan), costs, times)


def make_workload(spec: "SearchSpec", plan: "Plan") -> Workload:
    """What the phases of a planned search have to do."""
    data, closing = plan.data, read_closing_times()
    return Workload(
        slots=plan.shape.slots,
        student_share=spec.student_epochs / spec.max_epochs, train_images=data.train + data.val,
        test_images=data.test, growth=data.growth, is_pretrained=bool(plan.task.pretrained),
        closing={
            Phase.TEST: closing.test_image_seconds * data.test, Phase.EXPORT: closing.export,
            Phase.REPORT: closing.report,
        },
    )  # fmt: skip
