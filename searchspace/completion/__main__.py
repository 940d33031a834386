"""Print a script for a shell: `searchspace completion bash`."""

from typing import Annotated

import typer

from searchspace.cli.command import run_command
from searchspace.completion.candidates import print_script
from trainables.common.errors import UserError, suggest

SHELLS = ("bash", "zsh", "fish")


def main(shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), help="The shell.")]) -> None:
    """Print a script that lets a shell complete commands, options, their values, and names of searches.

    In ~/.bashrc: eval "$(searchspace completion bash)". In ~/.zshrc, below compinit: eval "$(searchspace completion
    zsh)". For fish: searchspace completion fish > ~/.config/fish/completions/searchspace.fish.

    Example: searchspace completion bash
    """
    if shell not in SHELLS:
        raise UserError(f"{shell!r}: not one of {', '.join(SHELLS)}{suggest(shell, SHELLS)}")
    print_script(shell)


if __name__ == "__main__":
    run_command(main)
