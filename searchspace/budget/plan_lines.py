"""Lines on a budget: its plan, how it changed, and what was taken."""

from collections.abc import Mapping

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_plan import BudgetPlan

MINUTES_FROM_S = 120.0
"""Budget from which times are in minutes."""


def format_plan(plan: BudgetPlan) -> str:
    """One line: the budget, and seconds or minutes of each phase."""
    return f"budget {_amount(plan.asked, plan.asked)}: {_phases(plan.seconds, plan.asked)}"


def format_taken(asked: float, taken: Mapping[Phase, float], earlier: float = 0.0) -> str:
    """One line: the budget, what was taken in all, and in each phase."""
    before = f", {_amount(earlier, asked)} of it before it was resumed" if earlier else ""
    whole = sum(taken.values()) + earlier
    return f"budget {_amount(asked, asked)}: took {_amount(whole, asked)}{before}: {_phases(taken, asked)}"


def format_shortfall(plan: BudgetPlan) -> str:
    """One line where a budget is below the least."""
    return (
        f"--budget {_amount(plan.asked, plan.asked)}: the least is about {_amount(plan.least, plan.asked)} on this "
        f"machine, and is taken: {_phases(plan.seconds, plan.asked)}"
    )


def _phases(seconds: Mapping[Phase, float], asked: float) -> str:
    return ", ".join(f"{phase} {_number(seconds[phase], asked)}" for phase in Phase if phase in seconds)


def _amount(seconds: float, asked: float) -> str:
    return f"{_number(seconds, asked)} {'min' if asked >= MINUTES_FROM_S else 's'}"


def _number(seconds: float, asked: float) -> str:
    return f"{seconds / 60:.3g}" if asked >= MINUTES_FROM_S else f"{seconds:.0f}"
