"""The dry run: time a space on the gangs, keep the measurements for later searches, print the forecast."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchspace.budget.dry_run_plan import finals_seconds, plan_dry_run, spec_within
from searchspace.budget.plan_lines import format_plan, format_shortfall
from searchspace.cli.output import print_lines
from searchspace.forecast.dry_run_table import print_dry_run
from searchspace.forecast.forecast import ForecastInputs, make_forecast
from searchspace.forecast.known_times import read_closing_times
from searchspace.forecast.probing import Measurements, write_measurements
from searchspace.preparation.plan import Plan
from searchspace.spec import SearchSpec
from trainables.storage.folder_sync import FolderSync
from trainables.storage.object_store.remote import join_url
from trainables.storage.search_storage import SearchStorage


@contextmanager
def scratch_folder(spec: SearchSpec) -> Iterator[FolderSync]:
    """A temporary folder that every worker sees: below the results folder where a cluster shares that."""
    beside = spec.address and not spec.home.url
    results = Path(spec.results).resolve()
    made = [path for path in (results, *results.parents) if beside and not path.exists()]
    if beside:
        results.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".dry-run-", dir=results if beside else None)).resolve()
    home = SearchStorage(folder=str(folder), url=join_url(spec.results, folder.name) if spec.home.url else "")
    try:
        yield FolderSync(home)
    finally:
        home.remove_folder(folder)
        for path in made:
            path.rmdir()


def finish_dry_run(measured: Measurements, spec: SearchSpec, plan: Plan, budget: float, price: float) -> None:
    """Keep the measurements, and print the forecast of a search within `budget` seconds, and their plan."""
    import torch

    from searchspace.budget.open_budget import make_workload
    from trainables.training.device import free_memory

    task, shape = plan.task, plan.shape
    write_measurements(measured, spec, task, shape)
    found, planned = None, None
    if measured.costs.by_family:
        known = ForecastInputs(
            basis="a dry run",
            slots=shape.slots,
            growth=task.data.growth,
            start=measured.start,
            closing=read_closing_times().total(task.data.test),
        )
        timings = [timing for known_timings in measured.costs.by_family.values() for timing in known_timings]
        if not math.isinf(budget):
            planned = plan_dry_run(budget, spec, make_workload(spec, plan), timings, measured.start)
            spec = spec_within(planned, spec, shape.slots, timings)
        found = make_forecast(measured.costs, spec, known)
        if planned is not None:
            found = found.model_copy(update={"finals": min(found.finals, finals_seconds(planned))})
    print_dry_run(found, measured, spec, shape, price, free_memory(torch.device("cpu")) / 1e6)
    if planned is not None:
        print_lines(format_plan(planned) if planned.is_enough else format_shortfall(planned))
