"""The package that is sent with a job: this project, the user's own code, and the files named by `--ship`."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from searchspace.cluster.submit.job_request import JobRequest
from trainables.common.errors import UserError

JOB_PACKAGES = ("searchspace", "trainables")
"""Packages that run there."""
MAX_PACKAGE_MB = 100
"""Largest shipment, in MB (10^6 bytes): every node takes a copy, and Ray keeps it in the head's memory."""


@contextmanager
def package_job(order: JobRequest, beside: Sequence[str]) -> Iterator[Path]:
    """A folder that becomes the driver's working folder, with the code, the order's own code and the files `beside`.

    Raises `UserError` for a file that is not there or hides another one, and for too much.
    """
    with tempfile.TemporaryDirectory(prefix="searchspace-job-") as place:
        folder, root = Path(place), Path(__file__).resolve().parents[3]
        for package in JOB_PACKAGES:
            shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        for option, name in [*(("own code", name) for name in order.code), *(("--ship", name) for name in beside)]:
            _add(Path(os.path.expanduser(name)), folder, option)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        if size > MAX_PACKAGE_MB:
            raise UserError(f"--ship {','.join(beside)}: {size:.0f} MB to send; {MAX_PACKAGE_MB} MB are the most")
        yield folder


def _add(path: Path, folder: Path, option: str) -> None:
    target = folder / path.absolute().name
    if not path.exists():
        raise UserError(f"{option} {str(path)!r}: no such file or folder")
    if target.exists() and not (target.is_file() and path.is_file() and target.read_bytes() == path.read_bytes()):
        raise UserError(f"{option} {str(path)!r}: something else of that name goes along already; rename it")
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, target)
