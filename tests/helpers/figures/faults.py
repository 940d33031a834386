"""The table of faults with their seconds."""

from tests.helpers.figures.records import Records, show

NAME = "bench_faults"


def faults(records: Records) -> str:
    """One row a fault, the longest first; says that none was recorded where there is no record."""
    if NAME not in records:
        return "\n\nNot recorded yet.\n\n"
    seconds = records[NAME].at("seconds")
    rows = [f"| {name} | {show(seconds[name])} |" for name in sorted(seconds, key=lambda name: -seconds[name])]
    return "\n\n" + "\n".join(["| test | seconds |", "|---|---|", *rows]) + "\n\n"
