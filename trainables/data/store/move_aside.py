"""What stands in the way of a folder of the cache is moved aside at once, so that nobody opens it, and then deleted."""

import secrets
from pathlib import Path

from trainables.storage.folders import files_below, remove_tree, rename

DAMAGED = ".damaged-"
"""In the name of what was moved aside."""


def move_aside(path: Path) -> None:
    """Take a folder, or whatever lies there, out of the way; processes that have it mapped keep what they see."""
    aside = path.with_name(f"{path.name}{DAMAGED}{secrets.token_hex(4)}")
    rename(path, aside)
    for each in (aside, *path.parent.glob(f"{path.name}{DAMAGED}*")):  # also what a killed command left
        remove_tree(each)


def clear_odd(folder: Path) -> None:
    """Move a half-built folder aside if anything in it is neither a file nor a folder that belongs there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return move_aside(folder)
    files = {path for _, path in files_below(folder)} if folder.is_dir() else set()
    odd = [path for path in folder.rglob("*") if path not in files and path != folder / "test"] if files else []
    if odd or (folder / "test").is_file():
        move_aside(folder)
    return None
