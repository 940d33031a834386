"""Numbers inside the sentences of README.md and docs/."""

import re

from tests.helpers.figures.marked import Part
from tests.helpers.figures.records import Records, show


def _leaderboard(records: Records) -> str:
    record = records["bench_leaderboard"]
    return f"{show(record.at('leaderboard', 'seconds')['median'])} s for {record.at('trials'):,} trials"


def _storage(records: Records) -> str:
    def of(way: str, kind: str) -> str:
        return show(records["bench_storage"].at(way, f"{kind}, ms")["median"])

    return (
        f"an epoch's report costs the search {of('postgresql', 'report')} ms instead of {of('journal', 'report')}, a "
        f"suggestion {of('postgresql', 'suggest')} instead of {of('journal', 'suggest')}"
    )


def _slot_memory(records: Records) -> str:
    return f"{show(records['bench_scale'].at('costs', 'slot_mb'))} MB"


def _demo(records: Records) -> str:
    """What a search ends with: its account of time, the finals and what was shipped, without the board of trials."""
    lines = [re.sub(r"^\[[^\]]*\] ", "", line) for line in records["bench_demo"].at("output")]
    account = next(line for line in lines if line.startswith("search: "))
    kept, in_board = [account, ""], False
    for line in lines[next(number for number, line in enumerate(lines) if ": finalists, " in line) :]:
        in_board = bool(line) and (in_board or " trials by " in line)
        kept += [] if in_board else [line]
    return _code("\n".join(kept))


def _demo_board(records: Records) -> str:
    return _code("\n".join(records["bench_demo"].at("leaderboard")))


def _code(text: str) -> str:
    """A block of Markdown's indented code."""
    indented = "\n".join(f"    {line}".rstrip() for line in text.strip("\n").splitlines())
    return f"\n\n{indented}\n\n"


def _demo_size(records: Records) -> str:
    record = records["bench_demo"]
    cores, cpu = record.facts["machine"]["cores"], record.facts["machine"]["cpu"]
    return (
        f"`--trials {record.at('settings', 'trials')}`, {cores} cores of {cpu}, {show(record.at('seconds'))} s in all, n = "
        f"{record.n}"
    )


SENTENCES: dict[str, Part] = {
    "demo": _demo,
    "demo_board": _demo_board,
    "demo_size": _demo_size,
    "leaderboard_time": _leaderboard,
    "storage_costs": _storage,
    "slot_memory": _slot_memory,
}
