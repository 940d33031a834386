"""Answers a shell that asks what may come next; Typer reads the words and writes the answer in the shell's form."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from searchspace.cli.commands import COMMANDS, COMPLETION_VARIABLE, PACKAGE
from searchspace.completion.option_table import Parameter, open_table
from searchspace.storage.search_names import LATEST, RESULTS_FOLDER, searches_below
from trainables.common.errors import UserError

WORDS = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Environment variables with the command line so far."""

TYPERS_OWN = {"install_completion", "show_completion"}
"""Options by which Typer adds completion to a program."""


def complete() -> int:
    """Print what may come next in the command line that a shell gives in the environment; returns the exit code."""
    words = " ".join(os.environ.get(name, "") for name in WORDS).split()
    after = words.index("--") if "--" in words else len(words)
    if words[1:2] == ["submit"] and after < len(words) - 1:  # the options of a search, which a job has
        for name in WORDS:
            os.environ[name] = " ".join([PACKAGE, "run", *words[after + 1 :]])
        os.environ["COMP_CWORD"] = str(int(os.environ.get("COMP_CWORD", after)) - after + 1)
    return answer(words[1:2])


def print_script(shell: str) -> None:
    """Print what a shell runs to complete this command."""
    os.environ[COMPLETION_VARIABLE] = f"source_{shell}"
    answer([])


def answer(named: list[str]) -> int:
    """Let Typer do what the environment asks for, with the parameters of the commands that are `named`."""
    try:
        table = open_table() if named and named[0] in COMMANDS else {}
        group = typer.main.get_command(make_app(table))
        group.params = [each for each in group.params if each.name not in TYPERS_OWN]
        group(prog_name=PACKAGE, complete_var=COMPLETION_VARIABLE)
    except (UserError, OSError):  # a Tab prints no errors
        return 1
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def make_app(table: Mapping[str, list[Parameter]]) -> typer.Typer:
    """The commands, with the parameters that the `table` has."""
    app = typer.Typer(no_args_is_help=True)

    @app.callback()
    def main(version: Annotated[bool, typer.Option("--version")] = False) -> None:
        """What comes before a command."""

    for name, entry in COMMANDS.items():
        app.command(name, help=entry.what)(_command(table.get(name, [])))
    return app


def _command(parameters: list[Parameter]) -> Callable[..., None]:
    def command(**_values: Any) -> None:
        """Completed, never run."""

    vars(command)["__signature__"] = inspect.Signature([
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, annotation=_annotation(each),
            default=False if each.words == 0 else None,
        )
        for each in parameters
    ])  # fmt: skip
    return command


def _annotation(parameter: Parameter) -> Any:
    def find(incomplete: str) -> list[str]:
        return list(find_candidates(parameter, incomplete))

    if not parameter.flag:
        kind: Any = str if parameter.words == 1 else list[str]
        return Annotated[kind, typer.Argument(help=parameter.help, autocompletion=find)]
    if parameter.words == 0:
        return Annotated[bool, typer.Option(parameter.flag, help=parameter.help)]
    kind = tuple[str, str] if parameter.words == 2 else list[str]
    return Annotated[kind, typer.Option(parameter.flag, help=parameter.help, autocompletion=find)]


def find_candidates(parameter: Parameter, incomplete: str) -> Iterator[str]:
    """What may be typed for a parameter whose value begins with `incomplete`; none where files may be."""
    before, comma, last = incomplete.rpartition(",") if parameter.is_list else ("", "", incomplete)
    known = find_searches(last) if parameter.names_search else parameter.choices
    taken = before.split(",")
    for name in known:
        if name.startswith(last) and name not in taken:
            yield before + comma + name


def find_searches(incomplete: str) -> list[str]:
    """Names of searches that begin so; with a folder, those in it."""
    folder, slash, _ = incomplete.rpartition("/")
    if slash:
        return [f"{folder}/{name}" for name in searches_below(Path(os.path.expanduser(folder) or "/"))]
    names = searches_below(RESULTS_FOLDER)
    return [*names, LATEST] if names else []
