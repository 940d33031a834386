"""The entry point: `searchspace` lists the commands, and `searchspace COMMAND ...` runs one."""

import runpy
import sys

from searchspace.cli.output import end_quietly, print_lines
from trainables.common.errors import suggest

COMMANDS = {
    "run": "find, test and export the best classifier",
    "data": "say what is understood of a data set",
    "leaderboard": "rank one search's trials, or all searches",
    "report": "write a search's report.html",
    "export": "export and prove a search's winner again",
    "predict": "say what is on images, by an exported model",
    "serve": "serve a search's winner over HTTP",
    "submit": "run a search as a job of a cluster",
    "replay": "what other early stopping would have done",
    "track": "upload a search to MLflow",
    "cluster.clouds.prepare_aws": "make what cluster/gpu.yaml names in AWS",
}
"""Each is a module of its name, but for those in `MODULES`: `python -m searchspace.NAME` runs it, too."""
MODULES = {"track": "tracking"}
"""Modules of commands that have another name."""


def main(arguments: list[str]) -> int:
    """List the commands, or run the one that is named; returns the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        with end_quietly():
            print_lines(*overview().split("\n"))
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        hint = suggest(name, COMMANDS)
        print_lines(f"error: {name!r}: no such command; there are {', '.join(COMMANDS)}{hint}", error=True)
        return 2
    sys.argv = [f"searchspace {name}", *rest]
    runpy.run_module(f"searchspace.{MODULES.get(name, name)}", run_name="__main__", alter_sys=True)
    return 0


def overview() -> str:
    """The commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  searchspace {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join([
        "Find, prove and ship the best image classifier for a data set and a budget.", "", *lines, "",
        "Each takes --help. Example: searchspace run --data path/to/images --trials 64",
    ])  # fmt: skip


def run() -> None:
    """The command line of this process, which then ends: what `searchspace` starts once the package is installed."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
