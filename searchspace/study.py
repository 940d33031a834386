"""The study: the one record of truth of a search, in an Optuna storage."""

import json
import os
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from searchspace.journal import WriteBehindJournal
from searchspace.spec import SearchSpec
from searchspace.stopping.rung import Standing
from trainables.config import EpochReport, TrialConfig
from trainables.deploy.cost import ArchitectureCost
from trainables.errors import UserError
from trainables.redaction import is_redacted, redact, redact_urls

JOURNAL = "study.journal"
STORAGE = "SEARCHSPACE_STORAGE"
"""Environment variable with the whole of a storage URL whose password is `***` elsewhere."""

optuna.logging.set_verbosity(optuna.logging.ERROR)


def create_study(spec: SearchSpec, sampler: BaseSampler) -> optuna.Study:
    """New study of a search; raises `UserError` if the storage holds one of this name already, or cannot be reached."""
    if not spec.storage:
        spec.folder.mkdir(parents=True)
    try:
        study = optuna.create_study(
            storage=_storage_to_write(spec), study_name=spec.name, direction="maximize",
            sampler=sampler,
        )  # fmt: skip
    except optuna.exceptions.DuplicatedStudyError as error:
        raise UserError(
            f"--name {spec.name!r}: --storage {redact_urls(spec.storage)!r} holds a study of this name already"
        ) from error
    flush_study(study)
    return study


def load_study(spec: SearchSpec, folder: Path) -> optuna.Study:
    """Study of the search in `folder`, for reading."""
    return optuna.load_study(storage=_storage(spec.storage, folder), study_name=spec.name)


def flush_study(study: optuna.Study) -> None:
    """Wait until everything that was told is where other processes can read it; raises OSError where it cannot be."""
    backend = getattr(study._storage, "_backend", None)
    if isinstance(backend, WriteBehindJournal):
        backend.flush()


def _storage_to_write(spec: SearchSpec) -> BaseStorage:
    if spec.storage:
        return _storage(spec.storage, spec.folder)
    return JournalStorage(WriteBehindJournal(spec.folder / JOURNAL))


def _storage(url: str, folder: Path) -> BaseStorage:
    if not url:
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    whole = whole_url(url)
    try:
        return RDBStorage(whole)
    except Exception as error:  # SQLAlchemy's drivers raise errors of their own
        said = redact(str(error).splitlines()[0], os.environ | {STORAGE: whole})
        raise UserError(
            f"--storage {redact_urls(url)!r}: {said}"
        ) from None  # the cause's own text may hold the password


def whole_url(url: str) -> str:
    """A storage URL with its password, which a hidden one has from `$SEARCHSPACE_STORAGE`.

    Raises `UserError` where that is another one: a record names the server, and must not choose who is sent a password.
    """
    if not is_redacted(url):
        return url
    whole = os.environ.get(STORAGE, "")
    if redact_urls(whole) != url:
        found = f"is {redact_urls(whole)!r}" if whole else "is not set"
        raise UserError(f"--storage {url!r}: its password is not kept; set {STORAGE} to the whole URL (it {found})")
    return whole


def record_config(trial: optuna.Trial, config: TrialConfig, seed: int) -> None:
    """Keep the whole configuration, defaults and pins too, and the seed."""
    trial.set_user_attr("config", config.model_dump_json())
    trial.set_user_attr("seed", seed)


def record_curve(trial: optuna.Trial, curve: list[EpochReport], reason: str = "") -> None:
    """Keep every report so far, and why the trial ended before its full length, if it did."""
    trial.set_user_attr("curve", [report.model_dump_json() for report in curve])
    if curve[-1].epoch:
        trial.set_user_attr("seconds_per_epoch", curve[-1].total_seconds / curve[-1].epoch)
    if reason and curve[-1].status != "complete":
        trial.set_user_attr("reason", reason)


def record_waiting(trial: optuna.Trial, epoch: int) -> None:
    """Keep at which rung a trial waits; 0 when it goes on."""
    trial.set_user_attr("waits_at", epoch)


def record_stop(trial: optuna.Trial, standing: Standing | None, audited: bool = False) -> None:
    """Keep where a trial stood when it was held back for good, and whether it runs on all the same."""
    if standing is not None:
        trial.set_user_attr("standing", standing.model_dump_json())
    if audited:
        trial.set_user_attr("audited", True)
        record_waiting(trial, 0)


def record_refusal(trial: optuna.Trial, reason: str) -> None:
    """Keep that a configuration was not trained, and why; it counts as none of the search's trials."""
    trial.set_user_attr("refused", True)
    trial.set_user_attr("reason", reason)


def is_refused(trial: FrozenTrial) -> bool:
    """Whether a trial's configuration was never trained."""
    return bool(trial.user_attrs.get("refused", False))


def is_waiting(trial: FrozenTrial) -> bool:
    """Whether a trial that is not over waits at a rung."""
    return trial.state == TrialState.RUNNING and bool(trial.user_attrs.get("waits_at", 0))


def standing_of(trial: FrozenTrial) -> Standing | None:
    """Where a trial stood when it was held back for good; None for one that was not."""
    text = trial.user_attrs.get("standing")
    return Standing.model_validate_json(text) if text else None


def config_of(trial: FrozenTrial) -> TrialConfig:
    """Configuration of a recorded trial."""
    return TrialConfig.model_validate_json(trial.user_attrs["config"])


def seed_of(trial: FrozenTrial) -> int:
    """Seed that a recorded trial was trained with."""
    return int(trial.user_attrs["seed"])


def curve_of(trial: FrozenTrial) -> list[EpochReport]:
    """Reports of a trial that is over; empty while it runs."""
    return [EpochReport.model_validate_json(text) for text in trial.user_attrs.get("curve", [])]


def record_cost(trial: optuna.Trial, cost: ArchitectureCost) -> None:
    """Keep what the trial's architecture costs where it is shipped."""
    trial.set_user_attr("cost", cost.model_dump_json())


def cost_of(trial: FrozenTrial) -> ArchitectureCost | None:
    """What a recorded trial's architecture costs where it is shipped, if that was measured."""
    text = trial.user_attrs.get("cost")
    return ArchitectureCost.model_validate_json(text) if text else None


def seconds_of(trial: FrozenTrial) -> float | None:
    """Training seconds an epoch, set-up included; None before the first."""
    return trial.user_attrs.get("seconds_per_epoch")


def latency_of(trial: FrozenTrial) -> float | None:
    """Milliseconds an image that its architecture takes, measured before it was trained; None where it was not."""
    cost = trial.user_attrs.get("cost")
    return json.loads(cost)["latency_ms"] if cost else None


def put_record(study: optuna.Study, key: str, value: Any) -> None:
    """Keep a JSON value of the whole search in the study: finalists, winner."""
    study.set_user_attr(key, json.dumps(value))


def get_record(study: optuna.Study, key: str) -> Any:
    """Value that `put_record` kept, or None."""
    text = study.user_attrs.get(key)
    return json.loads(text) if text else None
