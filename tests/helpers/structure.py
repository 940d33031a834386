"""The structure of the packages: sizes, imports, names and words, read from the source without importing it."""

import ast
import io
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("searchspace", "trainables")
SMALL = 40
"""Lines under which a file is small."""
FOREIGN = re.compile(r"(ray|optuna|mlflow)(\.\w+)*\._")
"""Modules of these packages that are private by their names."""
OTHERS = {"self", "cls", "os", "sys", "torch", "threading"}
"""Objects whose underscored attributes belong to none of these packages."""


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    """Below the repository."""
    source: str

    @property
    def name(self) -> str:
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    @property
    def special(self) -> bool:
        return self.path.stem in {"__init__", "__main__"}

    @property
    def is_compat(self) -> bool:
        """Whether it is where private names of other packages belong."""
        return self.path.stem.endswith("_compat")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def lines(self) -> int:
        return len(self.source.splitlines())

    def classes(self) -> Iterator[str]:
        return (node.name for node in self.tree.body if isinstance(node, ast.ClassDef))

    def constants(self) -> Iterator[str]:
        for node in self.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (t.id for t in targets if isinstance(t, ast.Name))

    def words(self) -> Counter[str]:
        """Each word of identifiers, strings and comments, in lower case; `_` and capitals part identifiers."""
        found: Counter[str] = Counter()
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            if token.type == tokenize.NAME:
                found.update(part.lower() for part in re.findall(r"[A-Z]*[a-z]+|[A-Z]+", token.string))
            elif token.type in {tokenize.STRING, tokenize.COMMENT}:
                found.update(re.findall(r"[a-z]+", token.string.lower()))
        return found

    def text(self) -> str:
        """Strings and comments, each line end a space."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        parts = (t.string for t in tokens if t.type in {tokenize.STRING, tokenize.COMMENT})
        return re.sub(r"[\s#]+", " ", " ".join(parts)).lower()


def read_modules(root: Path) -> list[Module]:
    """Every module of the packages below a repository's root."""
    files = (path for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    return [Module(path.relative_to(root), path.read_text(encoding="utf-8")) for path in files]


def imports(module: Module, known: set[str]) -> set[str]:
    """The modules among `known` that a module names in an import, wherever it stands, also for type checkers alone."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module or "")
    return (found & known) - {module.name}


def import_cycles(modules: list[Module]) -> list[list[str]]:
    """Groups of modules of which each imports each other, if by a detour (Tarjan's strongly connected components)."""
    known = {module.name for module in modules}
    graph = {module.name: sorted(imports(module, known)) for module in modules}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in graph[name]:
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                cycles.append(sorted(group))

    for name in graph:
        if name not in order:
            visit(name)
    return cycles


def folder_sizes(modules: list[Module]) -> dict[str, int]:
    """Modules of each folder, without `__init__` and `__main__`."""
    return dict(Counter(module.path.parent.as_posix() for module in modules if not module.special))


def small_files(modules: list[Module]) -> list[str]:
    """Paths of the files with few lines."""
    return [m.path.as_posix() for m in modules if not m.special and m.lines < SMALL]


def repeated_stems(modules: list[Module]) -> dict[str, list[str]]:
    """File names that stand for several modules."""
    return _repeated((module.path.stem, module.path.as_posix()) for module in modules if not module.special)


def repeated_classes(modules: list[Module]) -> dict[str, list[str]]:
    """Names that stand for several classes."""
    return _repeated((name, module.path.as_posix()) for module in modules for name in module.classes())


def _repeated(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, path in pairs:
        found[name].append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def private_names(module: Module) -> list[str]:
    """Private names of Ray, Optuna or MLflow that a module uses."""
    own = {n.name for n in ast.walk(module.tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if FOREIGN.match(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found += [name for name in names if FOREIGN.match(name)]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"_[a-z]\w*", node.attr) and node.attr not in own:
            called = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            if not called and not (isinstance(node.value, ast.Name) and node.value.id in OTHERS):
                found.append(ast.unparse(node))
    return found
