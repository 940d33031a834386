"""The HTML of a running search in a notebook, in the colours of the page around it; all text is escaped."""

from html import escape

from searchspace.api.display.display_state import DisplayState
from searchspace.progress.progress_tracker import TrialStatus
from searchspace.progress.screen_layout import (
    SLOT_COLUMNS,
    describe_best,
    describe_time,
    format_clock,
    slot_rows,
)
from searchspace.progress.search_progress import SearchProgress
from trainables.common.escaping import printable

SHOWN_WARNINGS = 3
"""Newest warnings that are shown."""
COLOURS: dict[TrialStatus, str] = {
    "running": "#1f77b4", "at rung": "#7a6fd0", "complete": "#2a9d57", "stopped": "#8a8a8a", "failed": "#d1495b",
}  # fmt: skip
"""Of the parts of the bar; readable on light and dark pages."""
STYLE = """
.searchspace-live { font: 14px/1.45 system-ui, sans-serif; color: inherit; max-width: 56em; }
.searchspace-live p { margin: .3em 0; }
.searchspace-live .name { font-weight: 600; }
.searchspace-live .quiet { opacity: .72; }
.searchspace-live .warning { border-left: 3px solid #d98e04; padding-left: .6em; overflow-wrap: anywhere; }
.searchspace-live .bar { display: flex; height: .6em; background: rgba(128, 128, 128, .25); border-radius: .3em;
  overflow: hidden; margin: .4em 0; }
.searchspace-live .dot { display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin: 0 .3em 0 0; }
.searchspace-live .counts span { margin-right: 1em; white-space: nowrap; }
.searchspace-live .counts .dot { margin-right: .3em; }
.searchspace-live table { border-collapse: collapse; margin: .5em 0; font: inherit; color: inherit;
  font-variant-numeric: tabular-nums; }
.searchspace-live th, .searchspace-live td { text-align: right; padding: .15em .7em; border: 0;
  border-bottom: 1px solid rgba(128, 128, 128, .35); background: transparent; color: inherit; font-weight: normal; }
.searchspace-live th { opacity: .72; }
.searchspace-live .curve { text-align: left; font-family: ui-monospace, monospace; white-space: pre; min-width: 11em; }
"""


def notebook_table(state: DisplayState) -> str:
    """A fragment of HTML with its own style."""
    parts = [_paragraph(f'<span class="name">{_text(_title(state))}</span>  {_text(_status(state))}')]
    if state.search is not None:
        is_searching = state.phase == "search" and state.ended is None
        parts += _trials(state.search)
        parts += [_times(state.search), _slots(state.search)] if is_searching else []
    if state.work.what and state.ended is None:
        parts += _work(state)
    if winner := state.describe_winner():
        parts.append(_paragraph(_text(winner)))
    parts += [_paragraph(_text(line), "warning") for line in state.warnings[-SHOWN_WARNINGS:]]
    return f'<div class="searchspace-live"><style>{STYLE}</style>{"".join(parts)}</div>'


def summary_line(state: DisplayState) -> str:
    """The state in one line of text."""
    return f"{' '.join(('search', printable(state.name))).rstrip()}: {_status(state)}"


def _title(state: DisplayState) -> str:
    return state.name or "search"


def _status(state: DisplayState) -> str:
    if state.ended is None:
        return f"{state.phase}, {format_clock(state.elapsed)} elapsed"
    return f"{state.ended.status} after {format_clock(state.elapsed)}"


def _trials(search: SearchProgress) -> list[str]:
    """Bar, counts and best trial."""
    total = max(search.trials, sum(search.counts.values()), 1)
    shares = [(COLOURS[status], search.counts.get(status, 0) / total) for status in COLOURS]
    counts = "".join(
        f'<span><i class="dot" style="background:{colour}"></i>{search.counts.get(status, 0):,} {status}</span>'
        for status, colour in COLOURS.items()
    )
    of = f"{search.ended:,} of {search.trials:,} trials" if search.trials else f"{search.ended:,} trials"
    best = describe_best(search)
    described = search.best.description if search.best else ""
    return [
        _bar(shares),
        _paragraph(f"<span>{of}</span>{counts}", "counts"),
        *([_paragraph(_text(best)), _paragraph(_text(described), "quiet")] if best else []),
    ]


def _times(search: SearchProgress) -> str:
    return _paragraph(_text(" · ".join(describe_time(search)[1:])), "quiet")


def _slots(search: SearchProgress) -> str:
    head = "".join(f"<th{_class(name)}>{_text(name)}</th>" for name in SLOT_COLUMNS)
    rows = (
        "".join(f"<td{_class(name)}>{_text(cell)}</td>" for name, cell in zip(SLOT_COLUMNS, row, strict=True))
        for row in slot_rows(search)
    )
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _work(state: DisplayState) -> list[str]:
    work = state.work
    of = f"  {work.done:,} of {work.total:,}" if work.total else ""
    bar = [_bar([("#1f77b4", work.done / work.total)])] if work.total else []
    return [_paragraph(_text(work.what + of)), *bar]


def _bar(shares: list[tuple[str, float]]) -> str:
    parts = "".join(f'<div style="width:{100 * share:.2f}%;background:{colour}"></div>' for colour, share in shares)
    return f'<div class="bar">{parts}</div>'


def _paragraph(html: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html}</p>' if kind else f"<p>{html}</p>"


def _class(name: str) -> str:
    return ' class="curve"' if name == "curve" else ""


def _text(text: str) -> str:
    return escape(printable(text))
