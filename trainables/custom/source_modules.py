"""Imports a source tree from text: its files lie in a private folder of the cache, named by their digest.

Two trees of one process do not mix: a part's own file has a name of its own in `sys.modules`, and modules beside it
have theirs while code of that tree is imported or called.
"""

import importlib
import importlib.util
import os
import secrets
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from trainables.common.errors import UserError
from trainables.custom.custom_code import digest
from trainables.storage.cache import cache_folder
from trainables.storage.files import read_file, write_file
from trainables.storage.folders import files_below, make_folder, remove_tree, rename
from trainables.storage.ownership import WRITABLE_BY_OTHERS

MODULE_PREFIX = "searchspace_custom_"
"""Prefix of the name of a part's module in `sys.modules`, so that it hides no installed module."""
CODE_FOLDER = "code"
"""Folder of the cache."""
_lock = threading.RLock()


@dataclass(frozen=True)
class SourceTree:
    """A source tree that this process imports from."""

    folder: Path
    """Its private folder."""
    modules: dict[str, ModuleType] = field(default_factory=dict)
    """Modules that were imported from it, by their names."""


_trees: dict[str, SourceTree] = {}
"""The trees of this process, by digest."""


def load_module(files: Mapping[str, str], path: str) -> ModuleType:
    """The module of the file `path` in the tree of `files`, run once in this process; raises what running it raises.

    A file of a package is imported by its full name there, so that relative imports work.
    """
    tree = _open_tree(files)
    packaged = "/" in path and f"{path.partition('/')[0]}/__init__.py" in files
    name = _dotted(path) if packaged else f"{MODULE_PREFIX}{tree.folder.name[:12]}_{Path(path).stem}"
    with importable(files):
        if name not in tree.modules:
            tree.modules[name] = importlib.import_module(name) if packaged else _run(name, tree.folder / path)
        return tree.modules[name]


@contextmanager
def importable(files: Mapping[str, str]) -> Iterator[None]:
    """Let imports in the block find the modules of the tree of `files` first.

    After the block imports inside functions still find them before those of other trees, unless a module of that name
    was there before that is of no tree.
    """
    with _lock:
        tree = _open_tree(files)
        of_trees = {id(module) for each in _trees.values() for module in each.modules.values()}
        known = {name: sys.modules[name] for name in _own_names(files) if name in sys.modules}
        foreign = {name: module for name, module in known.items() if tree.modules.get(name) is not module}
        for name in foreign:
            del sys.modules[name]
        sys.modules.update(tree.modules)
        sys.path.insert(0, str(tree.folder))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            _move_to_the_end(tree.folder)
            tree.modules.update(_loaded_from(tree.folder))
            sys.modules.update({name: module for name, module in foreign.items() if id(module) not in of_trees})


def was_used_here(files: Mapping[str, str]) -> bool:
    """Whether this machine has run this source before."""
    return _is_whole(_place(files), files)


def _open_tree(files: Mapping[str, str]) -> SourceTree:
    """The tree of `files`, written where it is not, or not as it should be."""
    folder = _place(files)
    found = _trees.get(folder.name)
    if found is not None and found.folder == folder and folder.is_dir():
        return found
    if not _is_whole(folder, files):
        _write(folder, files)
    _trees[folder.name] = SourceTree(folder)
    return _trees[folder.name]


def _place(files: Mapping[str, str]) -> Path:
    return cache_folder() / CODE_FOLDER / digest(dict(files))


def _is_whole(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether a folder is private and holds `files`, and nothing else that Python would run."""
    try:
        found = folder.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & (WRITABLE_BY_OTHERS | 0o055):
            return False
        there = {name for name, _ in files_below(folder) if "__pycache__" not in name}
        return there == set(files) and all(read_file(folder / n).decode() == text for n, text in files.items())
    except (OSError, ValueError, UserError):
        return False


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write `files` into a new private folder, and put it in the place of `folder`."""
    make_folder(folder.parent)
    beside = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        beside.mkdir(mode=0o700)
        for name, text in files.items():
            write_file(beside / name, text.encode())
        remove_tree(folder)
        rename(beside, folder)
    except OSError:
        remove_tree(beside)
        if not _is_whole(folder, files):  # else another process was quicker
            raise


def _run(name: str, path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path.name!r} is not a Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _own_names(files: Mapping[str, str]) -> set[str]:
    """Names under which modules of a tree may be imported, their packages' included."""
    names = {_dotted(path) for path in files}
    return names | {".".join(name.split(".")[: count + 1]) for name in names for count in range(name.count("."))}


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _move_to_the_end(folder: Path) -> None:
    """Put a tree's folder behind what is installed in `sys.path`, and before the folders of other trees."""
    trees = [place for place in sys.path if Path(place).parent == folder.parent and place != str(folder)]
    sys.path[:] = [place for place in sys.path if Path(place).parent != folder.parent] + [str(folder)] + trees


def _loaded_from(folder: Path) -> dict[str, ModuleType]:
    """Modules of this process whose files are below `folder`."""
    found: dict[str, ModuleType] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        if file and Path(file).is_relative_to(folder):
            found[name] = module
    return found
