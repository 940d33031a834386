"""The entry point: `searchspace` lists the commands, and `searchspace COMMAND ...` runs one."""

import os
import runpy
import sys

from searchspace.cli.commands import COMPLETION_VARIABLE, describe_version, find_module, overview
from searchspace.cli.output import end_quietly, print_lines
from trainables.common.errors import UserError

HELP = {"-h", "--help", "help"}


def main(arguments: list[str]) -> int:
    """List the commands, or run the one that is named; returns the exit code."""
    if COMPLETION_VARIABLE in os.environ:
        from searchspace.completion.candidates import complete

        return complete()
    name, *rest = arguments or ["--help"]
    try:
        if name in HELP and rest:  # searchspace help run
            return main([rest[0], "--help"])
        if name in HELP | {"--version"}:
            with end_quietly():
                print_lines(*(overview() if name in HELP else [describe_version()]))
            return 0
        module = find_module(name)
    except UserError as error:
        print_lines(f"error: {error}", error=True)
        return 2
    sys.argv = [f"searchspace {name}", *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def run() -> None:
    """The command line of this process, which then ends: what `searchspace` starts once the package is installed."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
