"""The table of finalists: one row for each finalist of a search."""

from collections.abc import Mapping, Sequence

from searchspace.finals.baseline import Baseline, read_baseline
from searchspace.finals.comparison import ComparisonOutcome
from searchspace.finals.finalist import Finalist, read_finalists
from searchspace.finals.formatting import format_difference, format_interval
from searchspace.reporting.tables.exported_files_table import cost_columns
from searchspace.reporting.tables.table import Row, round_rows
from searchspace.study.study import StudyReader
from searchspace.study.trial_attributes import read_trial_cost
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.metrics.metric_registry import MetricName

Costs = Mapping[int, ArchitectureCost | None]
SIGNIFICANCE: dict[ComparisonOutcome, str] = {
    ComparisonOutcome.SIGNIFICANT: "yes", ComparisonOutcome.NOT_SIGNIFICANT: "no",
    ComparisonOutcome.ONE_SEED: "unknown", ComparisonOutcome.NO_VARIANCE: "no information",
    ComparisonOutcome.NOT_RESCORED: "unknown",
}  # fmt: skip
"""What the board says of a comparison with the winner."""


def costs_of(study: StudyReader) -> Costs:
    """What each trial's architecture costs, where that was measured."""
    return {trial.number: read_trial_cost(trial) for trial in study.get_trials(deepcopy=False)}


def _cost_of(finalist: Finalist, costs: Costs) -> ArchitectureCost | None:
    """What its architecture costs; an ensemble's was not measured."""
    return costs.get(finalist.members[0]) if len(finalist.members) == 1 else None


def _fold_columns(finalist: Finalist) -> Row:
    """Number of folds, where it was cross-validated; its seeds are then the repetitions."""
    return {"folds": len(finalist.fold_scores) // len(finalist.scores)} if finalist.fold_scores else {}


def finalist_roles(finalists: Sequence[Finalist], baseline: Baseline | None) -> list[str]:
    """What each one is, the winner first: `winner`, `finalist`, or `default` for what is there for comparison alone."""
    roles = ["winner", *["finalist"] * (len(finalists) - 1)][: len(finalists)]
    for place, finalist in enumerate(finalists):
        if baseline and finalist.name == baseline.trial:
            alone = baseline.reference and place > 0
            roles[place] = baseline.kind if alone else f"{roles[place]}, {baseline.kind}"
        if baseline and finalist.name == baseline.probe:
            roles[place] += ", probe"
    return roles


def trial_roles(study: StudyReader) -> dict[int, str]:
    """The same by trial, before and after the finals; every member of an ensemble that won is a winner."""
    finalists = read_finalists(study)
    roles = finalist_roles(finalists, read_baseline(study))
    found = {f.members[0]: role for f, role in zip(finalists, roles, strict=True) if len(f.members) == 1}
    return found | dict.fromkeys(finalists[0].members if finalists and len(finalists[0].members) > 1 else (), "winner")


def finalist_rows(
    metric: MetricName, finalists: Sequence[Finalist], costs: Costs, baseline: Baseline | None = None
) -> list[Row]:
    """One row a finalist, the winner first; `costs` are what the trials' architectures cost."""
    return round_rows([
        {
            "trial": f.name, "role": role, "search_score": f.search_score, "score": f.score, "deviation": f.deviation,
            "seeds": len(f.scores), **_fold_columns(f), "drop": f.search_difference,
            "val_loss": f.val_loss if f.is_rescored else None, "seconds": f.seconds, **cost_columns(_cost_of(f, costs)),
            "behind": format_difference(metric, f.comparison.difference) if f.comparison else "",
            "95_%_interval": format_interval(metric, f.comparison) if f.comparison else "",
            "told_apart": SIGNIFICANCE[f.comparison.outcome] if f.comparison else "the winner",
        }
        for f, role in zip(finalists, finalist_roles(finalists, baseline), strict=True)
    ])  # fmt: skip
