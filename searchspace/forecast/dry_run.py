"""The dry run: time a space on the gangs, keep what was found for later searches, print what one will take."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchspace.forecast.forecast import Known, forecast
from searchspace.forecast.keep import keep_measured, known_closing
from searchspace.forecast.page import print_page
from searchspace.forecast.probing import Measured
from searchspace.spaces import Task
from searchspace.spec import SearchSpec
from trainables.shape import GangShape


@contextmanager
def scratch_folder(spec: SearchSpec) -> Iterator[Path]:
    """A folder that every worker sees, gone afterwards: beside the results where a cluster shares those."""
    results = Path(spec.results).resolve()
    made = [path for path in (results, *results.parents) if spec.address and not path.exists()]
    if spec.address:
        results.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".dry-run-", dir=results if spec.address else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for path in made:
            path.rmdir()


def conclude(measured: Measured, spec: SearchSpec, task: Task, shape: GangShape, price: float) -> None:
    """Keep what was measured, and print what a search will take."""
    import torch

    from trainables.device import free_memory

    keep_measured(measured, spec, task, shape)
    found = None
    if measured.costs.by_model:
        known = Known(
            basis="a dry run", slots=shape.slots, growth=task.data.growth, start=measured.start, closing=known_closing()
        )
        found = forecast(measured.costs, spec, known)
    print_page(found, measured, spec, shape, price, free_memory(torch.device("cpu")) / 1e6)
