"""Options of one command that are not part of the search's specification."""

from typing import Annotated

from pydantic import Field

from searchspace.cli.options import MORE, Option
from searchspace.spec import RECORD, SearchSpec
from trainables.config import Frozen

FORECAST, AFTERWARDS = "What it will take", "Instead of a new search"

NOT_IN_FILES = {"resume", "revive", "config", "like", "print_config"}
"""Options that a file of options cannot have: they name another search, or files of options themselves."""


class RunOptions(Frozen):
    """Options of one command that are not part of the search's specification."""

    dry_run: Annotated[bool, Option(FORECAST, common=True)] = False
    """Time each architecture and forecast the search, without searching."""
    price_per_hour: Annotated[float, Option(FORECAST)] = Field(0.0, ge=0, allow_inf_nan=False)
    """The cluster's price an hour, for costs and --budget $20."""
    verbose: Annotated[bool, Option(RECORD)] = False
    """Plain lines, with the libraries' output that else goes to search.log."""
    resume: Annotated[str, Option(AFTERWARDS, metavar="NAME", common=True)] = ""
    """Search to resume: an interrupted one, or with more --trials or --revive."""
    revive: Annotated[int | None, Option(AFTERWARDS)] = Field(None, ge=0)
    """Number of a stopped trial of that search, to resume to full length."""
    config: Annotated[str, Option(MORE, metavar="FILE.yaml", is_path=True, common=True)] = ""
    """Take options from a file; those typed win."""
    like: Annotated[str, Option(MORE, metavar="NAME", common=True)] = ""
    """Take options from an earlier search; those typed win."""
    print_config: Annotated[bool, Option(MORE, common=True)] = False
    """Print a file for --config: these options, and all others."""


def with_price(spec: SearchSpec, price: float) -> SearchSpec:
    """`spec` with the price of a budget in dollars; raises `UserError` where that is neither given nor recorded."""
    if spec.budget is None or spec.budget.unit != "dollars":
        return spec
    budget = spec.budget.model_copy(update={"price_per_hour": price or spec.budget.price_per_hour})
    budget.seconds(0)
    return spec.model_copy(update={"budget": budget})
