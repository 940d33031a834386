"""Checks that need no data, made before anything is downloaded or decoded."""

import logging
import os
from pathlib import Path

from searchspace.cluster.placement import place
from searchspace.preparation.absolute_paths import sqlite_file
from searchspace.preparation.preflight import local_resources
from searchspace.reporting.tables.pareto import by_front
from searchspace.sampling.pins import check_pins
from searchspace.spaces import load_space
from searchspace.spec import SearchSpec, load_facts
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import by_value, rungs
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import UserError
from trainables.custom.custom_space import SPACES
from trainables.data.in_memory.kept_files import is_kept
from trainables.data.sources.source_registry import NAMED_SETS
from trainables.storage.object_store.remote import is_url

logger = logging.getLogger(__name__)

SMALL_DROP = 0.05
"""Points of accuracy below which a largest drop looks like a share."""


def check_early(spec: SearchSpec, resumed: bool = False) -> None:
    """Make the checks that need no data; log how an ambiguous option is read.

    Raises `UserError` for the first option that cannot work. What costs nothing is checked first, what may download a
    backbone's weights last.
    """
    _check_places(spec, resumed)
    if spec.weighted_metrics and not spec.weight_column:
        raise UserError(
            "--weighted-metrics: needs the column of a table with the images' weights: --weight-column NAME"
        )
    load_space(spec.space)
    _check_models(spec)
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    order = by_front({}) if "latency" in spec.objectives else by_value
    make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor, order)
    room = local_resources()
    if spec.address:
        from searchspace.cluster.joined_ray import check_reachable

        check_reachable(spec.address)
    else:
        place(spec, room)
    has_gpu = any(node.gpus for node in room.nodes)
    if "pt2-half" in spec.formats and not has_gpu:
        raise UserError("--formats 'pt2-half': is for a GPU, and this machine, which exports the winner, has none")
    if spec.budget is not None and not spec.address:
        spec.budget.seconds(sum(node.gpus for node in room.nodes))
    check_storage(spec, resumed)
    if not resumed:
        _check_warm_start(spec)
    _check_weights(spec)
    _log_remarks(spec)
    if not spec.address and not has_gpu:
        _warn_of_memory(spec)


def _check_places(spec: SearchSpec, resumed: bool) -> None:
    """Raise `UserError` for data and space of a resumed search that have moved; its text says which option to give."""
    if not resumed:
        return
    if spec.data not in NAMED_SETS and not is_url(spec.data) and not Path(spec.data).exists():
        raise UserError(
            f"--resume {spec.name!r}: its data {spec.data!r} are not there; where they have moved, give --data FOLDER"
            if not is_kept(spec.data)
            else f"--resume {spec.name!r}: its data were given in memory, and are no longer in the cache; give them "
            "again: searchspace.load(...).resume(data=...)"
        )
    if spec.root and not is_url(spec.root) and not Path(spec.root).is_dir():
        raise UserError(
            f"--resume {spec.name!r}: its root {spec.root!r} is not there; where it has moved, give --root FOLDER"
        )
    file = spec.space.rpartition(":")[0]
    if file and spec.space not in SPACES and not Path(file).is_file():
        raise UserError(
            f"--resume {spec.name!r}: its space {spec.space!r} is not there; where it has moved, give "
            "--space FILE.py:FUNCTION"
        )


def _check_models(spec: SearchSpec) -> None:
    from trainables.models.model_registry import check_model

    pinned = (str(spec.pins["model"]),) if "model" in spec.pins else ()
    for name in spec.models or pinned:
        check_model(name)
    check_pins(spec.pins, spec.models or pinned)


def _check_weights(spec: SearchSpec) -> None:
    """Raise `UserError` where a model was asked for whose weights cannot be had; may download them."""
    from searchspace.preparation.preflight import choose_models

    if spec.models or "model" in spec.pins:
        choose_models(spec, False)


def check_storage(spec: SearchSpec, resumed: bool) -> None:
    """Raise `UserError` where `--storage` cannot be reached or written, or holds a study that is in the way.

    Makes no database: a search whose other options are wrong leaves nothing behind.
    """
    if not spec.storage:
        return
    from searchspace.preparation.begin_study import IDENTITY, read_identity
    from searchspace.study.database import check_writable
    from searchspace.study.study import describe_storage
    from searchspace.study.study_state import check_study

    file = sqlite_file(spec.storage)
    if spec.storage.startswith("sqlite") and file is None:
        raise UserError(f"{describe_storage(spec)}: is kept in memory alone; expected sqlite:///FILE")
    if file is not None and not resumed and not file.exists():
        if not file.parent.is_dir():
            raise UserError(f"{describe_storage(spec)}: there is no folder {str(file.parent)!r}")
        if not os.access(file.parent, os.W_OK):
            raise UserError(f"{describe_storage(spec)}: nothing may be written in {str(file.parent)!r}")
        return
    recorded = (spec.folder / SEARCH_RECORD).is_file()
    search = load_facts(spec.folder).get(IDENTITY, "") if recorded else read_identity(spec)
    if recorded or not resumed:  # what lies at a URL may not be here yet; then it is asked later
        check_study(spec, search, recorded=resumed)
    if file is None or file.exists():
        check_writable(spec.storage)


def _check_warm_start(spec: SearchSpec) -> None:
    from searchspace.sampling.warm_start import read_best_configs

    real = [each if is_url(each) else str(Path(each).resolve()) for each in spec.warm_start]
    for index, folder in enumerate(real):
        if folder in real[:index]:
            raise UserError(f"--warm-start {spec.warm_start[index]!r}: is given twice; give each search once")
    read_best_configs(spec.warm_start)


def _log_remarks(spec: SearchSpec) -> None:
    if 0 < spec.max_drop < SMALL_DROP:
        logger.info(
            f"--max-drop {spec.max_drop:g}: is in points, so a format may lose {spec.max_drop:g} of 100 test images; "
            f"a share of {spec.max_drop:g} is --max-drop {100 * spec.max_drop:g}"
        )


def _warn_of_memory(spec: SearchSpec) -> None:
    """Warn of a budget for images that is more than this machine's memory, which may have been meant in MB."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if spec.memory_gb > whole:
        logger.warning(
            f"--memory-gb {spec.memory_gb:g}: is in GB, and this machine has {whole:.1f}; "
            f"{spec.memory_gb:g} MB is --memory-gb {spec.memory_gb / 1000:g}"
        )
