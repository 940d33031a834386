"""The search's specification: one frozen object from the command line to every part, and into `search.json`."""

import json
import math
import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from trainables.config import Frozen, TrialConfig
from trainables.errors import UserError
from trainables.shape import Precision

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class SearchSpec(Frozen):
    """What was asked for; everything that a search does follows from it, the data and the machine."""

    name: str
    """Folder under `results`, study name, MLflow run name."""
    data: str = "digits"
    """A known data set, a folder of images, or a folder of parquet files."""
    trials: int = Field(64, ge=1)
    """Configurations tried in all."""
    models: tuple[str, ...] = ()
    """Architectures to search over; empty takes the default ones that this machine can run."""
    space: str = ""
    """One's own search space, `FILE.py:FUNCTION`; empty takes `searchspace.spaces.default_space`."""
    pins: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters held at one value."""
    max_epochs: int = Field(18, ge=1)
    """Full length of a trial, in epochs."""
    grace_epochs: int = Field(2, ge=1)
    """First rung, in epochs: no trial is stopped before it; the default is where the warm-up ends."""
    reduction_factor: int = Field(3, ge=2)
    """One trial in so many goes on at each rung; also the ratio between rungs."""
    workers_per_trial: int = Field(1, ge=1)
    """DDP workers that train one trial together."""
    cpus_per_worker: float = Field(1.0, gt=0)
    """Cores, and threads, of each worker."""
    gpus_per_worker: float | None = Field(None, ge=0)
    """GPUs of each worker, a fraction to pack several on one; None takes 1 where there are GPUs, else 0."""
    precision: Precision = "auto"
    """What workers train in; `auto` is bf16 where the hardware has it natively, else fp32."""
    memory_gb: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Image memory of each worker, in GB (10^9 bytes); what it cannot hold is streamed. 0 takes a share of what is
    free."""
    max_concurrent: int = Field(0, ge=0)
    """Trials at a time; 0 takes as many as the cluster holds."""
    time_budget: float = Field(0.0, ge=0)
    """Seconds after which no more of the search is trained; 0 is no limit. The finals come after it."""
    finalists: int = Field(3, ge=1)
    """Best trials trained again from fresh seeds, to find the winner among them."""
    seed: int = Field(0, ge=0)
    """Seed of sampling, initialisation, batches and augmentation."""
    storage: str = ""
    """Optuna storage URL; empty keeps the study in a journal file in the results folder."""
    results: str = "results"
    """Folder that holds the searches."""
    address: str = ""
    """Ray cluster to use; empty starts one on this machine."""

    @property
    def folder(self) -> Path:
        """Where this search leaves everything."""
        return Path(self.results).resolve() / self.name


def make_spec(**options: Any) -> SearchSpec:
    """Specification from command-line values; raises `UserError` naming the first option that is out of range."""
    try:
        spec = SearchSpec(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise UserError(f"{option} {first['input']!r}: {_plain(first['msg'])}") from error
    if not NAME.fullmatch(spec.name):
        raise UserError(f"--name {spec.name!r}: only letters, digits, and after the first also '.', '_', '-'")
    if spec.grace_epochs > spec.max_epochs:
        raise UserError(f"--grace-epochs {spec.grace_epochs}: is more than --max-epochs {spec.max_epochs}")
    return spec


def parse_pins(settings: list[str]) -> dict[str, Any]:
    """`name=value` texts -> typed `TrialConfig` values; raises `UserError` for a wrong name, type or range."""
    pins: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: expected name=value")
        if name not in TrialConfig.model_fields:
            raise UserError(f"--set {name!r}: no such hyperparameter; there are {', '.join(TrialConfig.model_fields)}")
        pins[name] = _typed(name, text)
    return pins


def _typed(name: str, text: str) -> Any:
    field = TrialConfig.model_fields[name]
    try:
        return getattr(TrialConfig.model_validate({name: text}), name)
    except ValidationError as error:
        kind = getattr(field.annotation, "__name__", str(field.annotation)).replace("typing.", "")
        raise UserError(f"--set {name}={text}: {_plain(error.errors()[0]['msg'])} (a {kind})") from error


def parse_duration(text: str) -> float:
    """`90`, `90s`, `30m`, `2h` or `1d` -> seconds; raises `UserError` for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(found[1]) * UNITS[found[2] or "s"] if found else math.nan
    if not seconds > 0:
        raise UserError(f"--time-budget {text!r}: expected a positive time such as 90s, 30m or 2h")
    return seconds


def save_record(folder: Path, spec: SearchSpec, facts: dict[str, Any]) -> None:
    """Write `search.json`: the specification and the facts that repeat the search."""
    _write_record(folder, {"spec": spec.model_dump(mode="json"), **facts})


def extend_record(folder: Path, facts: dict[str, Any]) -> None:
    """Add facts that came to be known later to `search.json`."""
    _write_record(folder, json.loads((folder / "search.json").read_text()) | facts)


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    beside = folder / "search.json.partial"
    beside.write_text(json.dumps(record, indent=1))
    beside.replace(folder / "search.json")  # readers see the old or the new one, whole


def load_facts(folder: Path) -> dict[str, Any]:
    """Read the whole of `search.json`; raises `UserError` where there is none."""
    try:
        facts: dict[str, Any] = json.loads((folder / "search.json").read_text())
    except FileNotFoundError as error:
        raise UserError(f"{str(folder)!r}: holds no search (no search.json)") from error
    except ValueError as error:
        raise UserError(f"{str(folder / 'search.json')!r}: is not the record of a search ({error})") from error
    return facts


def load_spec(folder: Path) -> SearchSpec:
    """Read the specification of the search in `folder`; raises `UserError` where there is none."""
    try:
        return SearchSpec.model_validate(load_facts(folder)["spec"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{str(folder / 'search.json')!r}: is not the record of a search ({error})") from error


def _plain(message: str) -> str:
    return message[0].lower() + message[1:]
