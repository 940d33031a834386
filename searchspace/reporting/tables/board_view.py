"""The view of a board: which of its rows and columns are shown, and in which order."""

from collections.abc import Sequence
from tokenize import TokenError
from typing import Annotated

from pydantic import Field

from searchspace.cli.options import Option
from searchspace.cli.values import Names
from searchspace.reporting.table_formats import Format
from searchspace.reporting.tables.table import Row, check_columns, sort_order
from trainables.common.errors import UserError, suggest
from trainables.config import Frozen

FORM, ROWS = "How to show it", "Which rows and columns"


class PrintOptions(Frozen):
    """How rows are written."""

    form: Annotated[Format, Option(FORM, "--format")] = "table"
    """How it is written."""


class ViewOptions(Frozen):
    """What was asked to be seen."""

    where: Annotated[str, Option(ROWS, metavar="CONDITION")] = ""
    """Only rows of which this holds, such as 'score > 0.9'."""
    columns: Annotated[Names, Option(ROWS, kind=list[str], metavar="A,B,C")] = ()
    """Only these columns. Default: what matters and fits; csv, json, md and html have all."""
    sort: Annotated[str, Option(ROWS, metavar="COLUMN")] = ""
    """Sort by it, scores from the highest down."""
    top: Annotated[int | None, Option(ROWS, metavar="N")] = Field(None, ge=0)
    """The first N rows; 0 is all. Default: 10 in a table, else all."""

    def of(self, rows: Sequence[Row], seen: Sequence[Row] | None = None, winner: bool = False) -> list[Row]:
        """What is wanted of `rows`; raises `UserError` naming a column that is none, or a wrong condition.

        `seen` are the same rows as conditions and sorting see them, where that differs. With `winner` the search's
        winner is among the first, wherever it stands.
        """
        check_columns("--columns", rows, self.columns)
        judged = list(seen or rows)
        chosen = filter_rows(judged, self.where) if self.where else list(range(len(judged)))
        if self.sort:
            chosen = [chosen[place] for place in sort_order([judged[i] for i in chosen], self.sort)]
        first = len(chosen) if not self.top else self.top
        late = [i for i in chosen[first:] if winner and is_winner(rows[i])]
        found = [rows[i] for i in [*chosen[:first], *late]]
        return [{name: row[name] for name in self.columns} for row in found] if self.columns else found


def is_winner(row: Row) -> bool:
    """Whether a trial's row is of the search's winner."""
    return str(row.get("role", "")).startswith("winner")


def filter_rows(rows: Sequence[Row], condition: str) -> list[int]:
    """Places of rows for which `condition` holds; raises `UserError` where it is no condition on their columns.

    It is an expression that the user typed; pandas evaluates its names, comparisons and methods of columns
    (`model.str.startswith("res")`); `@` finds nothing. What rows hold is never evaluated.
    """
    import pandas as pd
    from pandas.errors import UndefinedVariableError

    frame = pd.DataFrame([dict(row) for row in rows])
    columns = ", ".join(frame.columns)
    try:
        kept = frame.eval(condition, engine="python", local_dict={}, global_dict={})
        if not (isinstance(kept, pd.Series) and kept.dtype == bool):
            raise TypeError("neither true nor false")
    except UndefinedVariableError as error:
        name = str(error).split("'")[1]
        raise UserError(
            f"--where {condition!r}: {name!r} is no column; there are {columns}{suggest(name, frame.columns)}"
        ) from error
    except Exception as error:  # pandas and Python's parser raise most kinds
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        known = "" if isinstance(error, SyntaxError | TokenError) else f"; columns are {columns}"
        raise UserError(
            f"--where {condition!r}: is no condition such as 'score > 0.9 and status == \"complete\"' ({said}){known}"
        ) from error
    return [place for place, true in enumerate(kept) if true]
