"""Rendered part of docs/quickstart.md: the seconds of each of its steps."""

from tests.helpers.figures.records import Records, show

NAME = "bench_quickstart"


def quickstart(records: Records) -> str:
    """A row a step, or that none was recorded."""
    if NAME not in records:
        return "\n\nNot recorded yet.\n\n"
    record = records[NAME]
    seconds = record.at("seconds")
    lines = ["| step | seconds |", "|---|---:|", *(f"| {step} | {show(value)} |" for step, value in seconds.items())]
    lines.append(f"| all of these | {show(sum(seconds.values()))} |")
    busy = ", which had other work when it began" if record.busy else ""
    where = f"On {record.machine}{busy}; {record.versions}; {record.date}, n = {record.n}."
    return "\n\n" + "\n".join(lines) + f"\n\n{where}\n\n"
