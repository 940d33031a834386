"""The commands of `searchspace`: their names, what they do, and the modules that `python -m` runs."""

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from trainables.common.errors import UserError, suggest

PACKAGE = "searchspace"
COMPLETION_VARIABLE = "_SEARCHSPACE_COMPLETE"
"""Environment variable: what a shell that completes a command line asks for, such as `complete_bash`."""


@dataclass(frozen=True)
class CommandEntry:
    """One command."""

    group: str
    """Heading that the overview lists it under."""
    what: str
    """What it does, in some words."""
    part: str = ""
    """Its module below the package; empty: of the command's name."""


SEARCH, RESULTS, MODEL, MACHINE = "Search", "Read what it found", "Use the winner", "This machine and accounts"
COMMANDS = {
    "run": CommandEntry(SEARCH, "find, test and export the best classifier"),
    "data": CommandEntry(SEARCH, "say what is understood of a data set"),
    "submit": CommandEntry(SEARCH, "run a search as a job of a cluster"),
    "leaderboard": CommandEntry(RESULTS, "rank one search's trials, or all searches"),
    "report": CommandEntry(RESULTS, "write a search's report.html"),
    "replay": CommandEntry(RESULTS, "what other early stopping would have done"),
    "track": CommandEntry(RESULTS, "upload a search to MLflow", "tracking"),
    "predict": CommandEntry(MODEL, "say what is on images, by an exported model"),
    "serve": CommandEntry(MODEL, "serve a search's winner over HTTP"),
    "export": CommandEntry(MODEL, "export and prove a search's winner again"),
    "clean": CommandEntry(MACHINE, "show and free caches and old searches", "cleaning"),
    "doctor": CommandEntry(MACHINE, "say what this machine has, and what a search lacks", "diagnosis"),
    "completion": CommandEntry(MACHINE, "let a shell complete commands and options"),
    "prepare-aws": CommandEntry(MACHINE, "make what cluster/gpu.yaml names in AWS", "cluster.clouds.prepare_aws"),
}
"""By name, in the order of the overview."""
MODULES = {f"{PACKAGE}.{entry.part or name}": name for name, entry in COMMANDS.items()}
"""Their names, by module."""


def find_module(name: str) -> str:
    """The module of a command, which may be named by its module, too; raises `UserError` for what is none."""
    if name in COMMANDS:
        return f"{PACKAGE}.{COMMANDS[name].part or name}"
    if f"{PACKAGE}.{name}" in MODULES:
        return f"{PACKAGE}.{name}"
    raise UserError(f"{name!r}: no such command; there are {', '.join(COMMANDS)}{suggest(name, COMMANDS)}")


def command_name() -> str:
    """What is typed for the command that this process runs: `searchspace run`, however it was started."""
    spec = sys.modules["__main__"].__spec__
    module = spec.name.removesuffix(".__main__") if spec else ""
    return f"{PACKAGE} {MODULES[module]}" if module in MODULES else PACKAGE


def overview() -> list[str]:
    """The commands, a line each, below their groups."""
    width = max(map(len, COMMANDS))
    lines = ["Find, prove and ship the best image classifier for a data set and a budget."]
    for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
        lines += ["", f"{group}:"]
        lines += [f"  {PACKAGE} {name:<{width}}  {each.what}" for name, each in COMMANDS.items() if each.group == group]
    return [
        *lines, "", "Each takes --help; searchspace --version says which this is.",
        "Example: searchspace run --data path/to/images --trials 64",
    ]  # fmt: skip


def describe_version() -> str:
    """The installed version; raises `UserError` where the package runs without being installed."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError as error:
        raise UserError("--version: the package is not installed; pip install . installs it") from error
