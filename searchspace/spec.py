"""The search's specification: one frozen object from the command line to every part, and into `search.json`."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from searchspace.budget import presets
from searchspace.budget.presets import DEFAULT_PRESET, MAX_COUNT, PresetName
from searchspace.cli.data_request import DataRequest
from searchspace.cli.invalid_values import describe_error, describe_first_error, format_value
from searchspace.cli.options import Option, flag_of
from searchspace.cli.values import (
    Address,
    BudgetAmount,
    Duration,
    Formats,
    Names,
    Objectives,
    Place,
    SecretUrl,
    Share,
    describe_objectives,
)
from searchspace.own_code.kept_code import describe_parts
from searchspace.preparation.record import SearchRecord
from searchspace.sampling.pins import read_pins
from searchspace.sampling.sampler_registry import SAMPLERS, SamplerName
from searchspace.stopping.rules import SchedulerName
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.storage.search_names import NAME_PATTERN, check_names, name_now, names_nearby
from trainables.common.errors import DamagedError, UserError, suggest
from trainables.common.escaping import shown
from trainables.config import Frozen
from trainables.export.exported_files import EXPORT_FORMATS
from trainables.metrics.metric_registry import DEFAULT_METRIC, MetricName, list_metrics
from trainables.models.model_registry import MODELS
from trainables.storage.files import read_record, write_file
from trainables.storage.local_copy import local_copy_folder
from trainables.storage.object_store.remote import is_url, join_url
from trainables.storage.search_storage import SearchStorage
from trainables.workers.gang_resources import Precision

WHAT, HOW_LONG, PROOF, WHERE, RECORD = "What to search", "How long", "Proof", "Where it runs", "What is kept"
LIMITS = "The shipped model"
BudgetUnit = Literal["epochs", "seconds"]
LIMIT_OPTIONS = ("max_latency_ms", "max_params", "max_size_mb", "max_memory_mb")
"""Options that limit what a shipped model costs."""
R = TypeVar("R", bound=Frozen)


class SearchSpec(DataRequest):
    """The specification of a search; with data and machine, it determines the search."""

    models: Annotated[Names, Option(WHAT, kind=list[str], metavar="A,B", choices=MODELS, common=True)] = ()
    """Comma-separated: {choices}, timm names, torchvision/NAME, your FILE.py:NAME. Empty: what suits."""
    space: Annotated[str, Option(WHAT, metavar="FILE:NAME", common=True)] = ""
    """Your own search space, FILE.py:FUNCTION."""
    pins: Annotated[dict[str, Any], Option(WHAT, "--set", list[str], metavar="NAME=VALUE")] = Field(
        default_factory=dict
    )
    """Pin a hyperparameter, name=value; repeatable."""
    metric: Annotated[MetricName, Option(WHAT, kind=str, metavar="NAME", choices=list_metrics(), common=True)] = (
        DEFAULT_METRIC
    )
    """Score to maximise: {choices}."""
    augmentations: Annotated[Names, Option(WHAT, kind=list[str], metavar="FILE:NAME")] = ()
    """Your own augmentations, FILE.py:FUNCTION, beside the built-in ones."""
    weighted_metrics: Annotated[bool, Option(WHAT)] = False
    """Weight scores by --weight-column, too, not the loss alone."""
    objectives: Annotated[Objectives, Option(WHAT, kind=list[str], metavar="A,B", choices=[describe_objectives()])] = (
        DEFAULT_METRIC,
    )
    """{choices} for their trade-off."""
    seed: Annotated[int, Option(WHAT)] = Field(0, ge=0)
    """Seed of everything random."""
    sampler: Annotated[SamplerName, Option(WHAT, metavar="NAME", choices=SAMPLERS)] = "auto"
    """auto (what suits), {choices}."""
    reproducible: Annotated[bool, Option(WHAT)] = False
    """Same configurations at any timing; samples by first rungs."""
    warm_start: Annotated[Names, Option(WHAT, kind=list[str], metavar="A,B", is_path=True)] = ()
    """Earlier searches whose best trials are tried first."""
    budget: Annotated[BudgetAmount, Option(HOW_LONG, kind=str, metavar="10m", common=True)] = None
    """All the command may take: 10m, $20, 8gpuh."""
    preset: Annotated[PresetName, Option(HOW_LONG)] = DEFAULT_PRESET
    """Size of search and proof."""
    trials: Annotated[int, Option(HOW_LONG, common=True)] = Field(
        default_factory=presets.default_trial_count, ge=1, le=MAX_COUNT
    )
    """Trials; no limit in a --budget."""
    max_epochs: Annotated[int, Option(HOW_LONG)] = Field(18, ge=1, le=MAX_COUNT)
    """Epochs of a full trial."""
    grace_epochs: Annotated[int, Option(HOW_LONG)] = Field(
        default_factory=presets.default_grace_epochs, ge=1, le=MAX_COUNT
    )
    """First rung: no stop before it."""
    reduction_factor: Annotated[int, Option(HOW_LONG)] = Field(3, ge=2, le=MAX_COUNT)
    """One in so many passes each rung."""
    scheduler: Annotated[SchedulerName, Option(HOW_LONG)] = "asha"
    """Early stopping."""
    budget_unit: Annotated[BudgetUnit, Option(HOW_LONG)] = "epochs"
    """Unit in which trials are compared, and which the sampler saves."""
    time_budget: Annotated[Duration, Option(HOW_LONG, kind=str, metavar="TIME")] = Field(0.0, ge=0)
    """Longest search: 90s, 30m, 2h; without finals."""
    patience: Annotated[int, Option(HOW_LONG), AfterValidator(presets.check_patience)] = Field(
        default_factory=presets.default_patience, ge=0, le=MAX_COUNT
    )
    """Trials without gain until it ends."""
    finalists: Annotated[int, Option(PROOF)] = Field(default_factory=presets.default_finalists, ge=1, le=MAX_COUNT)
    """Best trials, trained again from fresh seeds beside trial 0."""
    folds: Annotated[int, Option(PROOF)] = Field(0, ge=0, le=100)
    """Folds of the finalists' cross-validation; 0: none."""
    audit: Annotated[Share, Option(PROOF)] = 0.0
    """Share of stopped trials resumed, to measure its cost."""
    max_latency_ms: Annotated[float | None, Option(LIMITS)] = Field(None, gt=0, allow_inf_nan=False)
    """Longest time for one image, in ms, on one thread of this CPU."""
    max_params: Annotated[int | None, Option(LIMITS)] = Field(None, gt=0)
    """Most parameters."""
    max_size_mb: Annotated[float | None, Option(LIMITS)] = Field(None, gt=0, allow_inf_nan=False)
    """Largest ONNX file, in MB (10^6 bytes)."""
    max_memory_mb: Annotated[float | None, Option(LIMITS)] = Field(None, gt=0, allow_inf_nan=False)
    """Most MB (10^6 bytes) that a process running it grows by."""
    distil: Annotated[bool, Option(LIMITS)] = False
    """Train a student on the winner's predictions; it keeps the limits."""
    distil_epochs: Annotated[int, Option(LIMITS)] = Field(0, ge=0, le=MAX_COUNT)
    """Epochs of the student; 0: a trial's."""
    formats: Annotated[Formats, Option(LIMITS, kind=list[str], metavar="A,B", choices=EXPORT_FORMATS)] = ()
    """{choices}. Empty: all that can be made here."""
    max_drop: Annotated[float, Option(LIMITS)] = Field(0.3, ge=0, le=100)
    """Most points of test accuracy that a format loses."""
    final_seeds: Annotated[int, Option(PROOF)] = Field(default_factory=presets.default_final_seeds, ge=1, le=MAX_COUNT)
    """Fresh seeds of each finalist, or repetitions of --folds."""
    ensemble: Annotated[bool, Option(PROOF)] = False
    """Add an ensemble even if it gains little; slow as all in it."""
    workers_per_trial: Annotated[int, Option(WHERE)] = Field(1, ge=1, le=MAX_COUNT)
    """DDP workers of one trial."""
    cpus_per_worker: Annotated[float, Option(WHERE)] = Field(1.0, gt=0)
    """Cores, and threads, of each worker."""
    gpus_per_worker: Annotated[float | None, Option(WHERE)] = Field(None, ge=0)
    """GPUs of each worker; a fraction packs trials. Default: 1 where there are any."""
    precision: Annotated[Precision, Option(WHERE)] = "auto"
    """auto: bf16 where it is native."""
    memory_gb: Annotated[float, Option(WHERE)] = Field(0.0, ge=0, allow_inf_nan=False)
    """Image memory of each worker, in GB (10^9 bytes); the rest is streamed. 0: auto."""
    max_concurrent: Annotated[int, Option(WHERE)] = Field(0, ge=0, le=MAX_COUNT)
    """Trials at a time; 0: as many as fit."""
    address: Annotated[Address, Option(WHERE)] = ""
    """Ray cluster, such as auto; empty starts one here."""
    name: Annotated[str, Option(RECORD, common=True)] = ""
    """Its folder, study and MLflow run. Default: data and time."""
    results: Annotated[Place, Option(RECORD, kind=str, metavar="FOLDER", is_path=True, common=True)] = "results"
    """Folder of all searches; or s3://, gs:// or file://."""
    keep_gb: Annotated[float, Option(RECORD)] = Field(10.0, ge=0)
    """Most GB (10^9 bytes) of stopped trials' checkpoints."""
    storage: Annotated[SecretUrl, Option(RECORD, metavar="URL")] = Field("", repr=False)
    """Optuna URL; *** is from $SEARCHSPACE_STORAGE. Default: a journal file."""
    study: str = ""
    """Name of its study in the storage; empty: its own. A search whose folder was renamed keeps its study's."""

    @property
    def folder(self) -> Path:
        """The search's results folder; with a URL, its working copy on this machine."""
        if is_url(self.results):
            return local_copy_folder("results", join_url(self.results, self.name))
        return Path(self.results).resolve() / self.name

    @property
    def home(self) -> SearchStorage:
        """Its folder, and the URL that it is synchronised with, if any."""
        url = join_url(self.results, self.name) if is_url(self.results) else ""
        return SearchStorage(folder=str(self.folder), url=url)

    @property
    def study_name(self) -> str:
        """Name of its study in the storage."""
        return self.study or self.name

    @property
    def data_name(self) -> str:
        """Its data as tables show them: a name, a URL, or the folder's name."""
        return self.data if is_url(self.data) else Path(self.data).name or self.data

    def format_count(self, trials: int) -> str:
        """So many trials of all that were asked for; a search that only its budget ends has no such number."""
        return f"{trials}" if self.trials == MAX_COUNT else f"{trials}/{self.trials}"

    @property
    def limits(self) -> dict[str, float]:
        """The limits that were given, by option."""
        return {option: most for option in LIMIT_OPTIONS if (most := getattr(self, option)) is not None}

    @property
    def student_epochs(self) -> int:
        """Epochs that a student is trained; 0 where there will be none."""
        return (self.distil_epochs or self.max_epochs) if self.distil else 0

    @property
    def for_winner(self) -> "SearchSpec":
        """The specification for search and winner: without the limits, if they are a student's."""
        return self.model_copy(update=dict.fromkeys(LIMIT_OPTIONS)) if self.distil else self


def make_spec(**options: Any) -> SearchSpec:
    """Specification from command-line values; raises `UserError` naming the first option that is out of range."""
    options["pins"] = read_pins(options)
    options["name"] = options.get("name") or name_now(str(options.get("data", "digits")))
    spec = parse_record(SearchSpec, options)
    if not NAME_PATTERN.fullmatch(spec.name):
        raise UserError(
            f"--name {spec.name!r}: only letters, digits, and after the first also '.', '_', '-'; at most 200 of them"
        )
    if spec.distil and not spec.limits:
        *most, last = (flag_of(SearchSpec, option) for option in LIMIT_OPTIONS)
        raise UserError(f"--distil: nothing limits the student; give {', '.join(most)} or {last}")
    if spec.distil_epochs and not spec.distil:
        raise UserError(f"--distil-epochs {spec.distil_epochs}: is for a student; give --distil too")
    if spec.grace_epochs > spec.max_epochs:
        raise UserError(f"--grace-epochs {spec.grace_epochs}: is more than --max-epochs {spec.max_epochs}")
    return spec


def parse_record(record: type[R], options: dict[str, Any]) -> R:
    """A record from command-line values; raises `UserError` naming the first option that is out of range."""
    try:
        return record(**options)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        typed = format_value(options.get(name, first["input"]))
        raise UserError(f"{flag_of(record, name)} {typed}: {describe_error(record, first)}") from error


def save_record(folder: Path, spec: SearchSpec, facts: dict[str, Any]) -> None:
    """Write `search.json`: the specification and the facts that repeat the search."""
    record = {"spec": spec.model_dump(mode="json"), **facts}
    write_file(folder / SEARCH_RECORD, json.dumps(record, indent=1).encode())


def extend_record(folder: Path, facts: dict[str, Any]) -> None:
    """Add facts that came to be known later to `search.json`."""
    write_file(folder / SEARCH_RECORD, json.dumps(load_facts(folder) | facts, indent=1).encode())


def load_facts(folder: Path) -> dict[str, Any]:
    """Read the whole of `search.json`; raises `UserError` where there is none, or another form of record."""
    try:
        return read_record(folder / SEARCH_RECORD, SearchRecord).model_dump(mode="json", exclude_unset=True)
    except FileNotFoundError as error:
        hint = suggest(folder.name, names_nearby(folder))
        raise UserError(f"{shown(folder)}: holds no search (no search.json){hint}") from error


def load_spec(folder: Path) -> SearchSpec:
    """The specification of the search in `folder`, whose name and place now count; raises `UserError` without one."""
    here = folder.resolve()  # who names a link means what it leads to
    facts = describe_parts(here, load_facts(here))
    try:
        spec = SearchSpec.model_validate({"patience": 0} | facts["spec"])  # 0 where it had no such option
    except (KeyError, TypeError, ValidationError) as error:
        said = (
            describe_first_error(SearchSpec, error) if isinstance(error, ValidationError) else "it has no specification"
        )
        raise DamagedError(folder / SEARCH_RECORD, f"is not the record of a search ({said})") from error
    check_names(folder / SEARCH_RECORD, spec.name, spec.study)
    moved: dict[str, Any] = {} if is_url(spec.results) else {"results": str(here.parent)}
    if here.name != spec.name:
        moved |= {"name": here.name, "study": spec.study_name}
    return spec.model_copy(update=moved)
