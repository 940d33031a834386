"""Loads a user's search space from a Python file, as `--space FILE.py:FUNCTION` names it."""

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trainables.common.errors import UserError, suggest

MODULE_PREFIX = "searchspace_own_"
"""Prefix of the module's name in `sys.modules`, so that it hides no installed module."""
_LOADED: dict[str, tuple[str, int]] = {}
"""File and modification time in nanoseconds of each module that was loaded, by the module's name."""


def split_reference(reference: str) -> tuple[Path, str]:
    """File and function that `FILE.py:FUNCTION` names; raises `UserError` unless the file exists."""
    file, colon, function = reference.rpartition(":")
    path = Path(os.path.expanduser(file))
    if not colon or not function or not path.is_file():
        raise UserError(f"--space {reference!r}: expected FILE.py:FUNCTION, an existing file and a function in it")
    return path.absolute(), function


def load_function(reference: str) -> Callable[..., Any]:
    """The function that `FILE.py:FUNCTION` names; raises `UserError` where there is none that takes a trial and a task.

    The file may import modules beside it, and may be part of a package.
    """
    path, name = split_reference(reference)
    try:
        module = _load(path)
    except SystemExit as error:
        raise UserError(f"--space {reference!r}: the file ends Python (SystemExit: {error})") from error
    except Exception as error:  # the user's file may raise anything
        said = " ".join(str(error).split())
        raise UserError(f"--space {reference!r}: {type(error).__name__}: {said}") from error
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"--space {reference!r}: {str(path)!r} has no function {name!r}{suggest(name, vars(module))}")
    _check_signature(reference, function)
    return function


def hash_file(reference: str) -> str:
    """SHA-256 of the space's file, which a resumed search compares; empty for the default space."""
    return hashlib.sha256(split_reference(reference)[0].read_bytes()).hexdigest() if reference else ""


def _check_signature(reference: str, function: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables have none
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise UserError(
            f"--space {reference!r}: the function takes {signature}; a space takes two arguments, (trial, task)"
        ) from error


def _load(path: Path) -> ModuleType:
    """Run the file as a module once; modules beside it are found as they are when Python runs the file itself."""
    package = _package_root(path)
    name = ".".join(path.relative_to(package).with_suffix("").parts) if package else f"{MODULE_PREFIX}{path.stem}"
    loaded, state = sys.modules.get(name), (str(path), path.stat().st_mtime_ns)
    if loaded is not None and _LOADED.get(name) == state:
        return loaded
    beside = str(package or path.parent)
    sys.path.insert(0, beside)
    try:
        module = importlib.import_module(name) if package else _run(name, path)
        _LOADED[name] = state
        return module
    finally:
        sys.path.remove(beside)
        if beside not in sys.path:
            sys.path.append(beside)  # for imports inside functions; what is installed goes first


def _run(name: str, path: Path) -> ModuleType:
    module_spec = importlib.util.spec_from_file_location(name, path)
    if module_spec is None or module_spec.loader is None:
        raise ImportError(f"{path.name!r} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        module_spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _package_root(path: Path) -> Path | None:
    """Folder that holds the outermost package which the file is part of; None where it is part of none."""
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return None if folder == path.parent else folder
