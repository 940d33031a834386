"""Fast reading of a study: complete and consistent while the search writes it, at any length.

Optuna replays a journal by copying a trial at every entry, and 10,000 trials make 300,000 entries. A snapshot is only
read, so each entry changes its trial in place here. The result equals what Optuna reads (a test compares them).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from pydantic_core import from_json

from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import RESUMED
from trainables.common.errors import DamagedError, UserError
from trainables.storage.files import is_file, open_file

READ_BLOCK = 1 << 23
"""Bytes of the journal that are read at once."""
MAX_ENTRY = 1 << 27
"""Bytes of the longest entry; a checkpointed sampler's state, the largest known, has some megabytes."""
STUDY_ATTRIBUTE, CREATE_TRIAL, PARAMETER, STATE, VALUE, ATTRIBUTE, SYSTEM_ATTRIBUTE = 2, 4, 5, 6, 7, 8, 9
"""Entries of an Optuna journal, by `op_code`; the others do not concern a search's one study."""
Entry = Mapping[str, Any]
ATTRIBUTE_TYPES: dict[str, type] = {
    "seed": int, "waits_at": int, "revives": int, "refused": bool, "audited": bool, "seconds_per_epoch": float,
}  # fmt: skip
"""Types of the attributes of trials that are not texts."""
MAX_INTEGER = 10**12
"""Largest integer in a study."""
YEARS = (1970, 9000)
"""Range of the years in which trials start and end."""
QUOTED_CHARACTERS = 200
"""Characters of an error that are quoted."""


@dataclass(frozen=True)
class StudySnapshot:
    """A study at one moment, with the interface of Optuna's own that readers use."""

    user_attrs: dict[str, Any]
    """Attributes of the whole search."""
    trials: list[FrozenTrial]
    """By number."""

    def get_trials(self, deepcopy: bool = True) -> list[FrozenTrial]:  # noqa: ARG002  # Optuna's signature
        """All trials by number, never copied, as they are only read."""
        return self.trials


class SnapshotReader(Protocol):
    """Reads a study repeatedly."""

    def read(self) -> StudySnapshot:
        """The study as it is now; the result of an earlier call may change."""


@dataclass
class JournalReader:
    """One search's study, from its journal file; each `read` continues where the last one ended."""

    path: Path
    """The journal."""
    user_attrs: dict[str, Any] = field(default_factory=dict)
    """Attributes of the whole search."""
    trials: list[FrozenTrial] = field(default_factory=list)
    """By number."""
    offset: int = 0
    """Bytes read so far: whole entries only."""

    def read(self) -> StudySnapshot:
        """The study as it is now, including the entries since the last call.

        Raises `UserError` where the journal is damaged.
        """
        for entries in self._new_entries():
            try:
                for entry in entries:
                    self._apply(entry)
            except Exception as error:  # malformed entries raise errors of any type
                said = f"{type(error).__name__}: {error}"[:QUOTED_CHARACTERS]
                raise DamagedError(self.path, f"has a wrong entry behind byte {self.offset:,} ({said})") from error
        return StudySnapshot(self.user_attrs, self.trials)

    def _new_entries(self) -> Iterator[list[Entry]]:
        with open_file(self.path) as file:
            file.seek(self.offset)
            rest = b""
            while block := file.read(READ_BLOCK):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield self._parse(whole)
                    self.offset += len(whole) + 1
                if len(rest) > MAX_ENTRY:
                    raise DamagedError(
                        self.path, f"has an entry of more than {MAX_ENTRY:,} bytes at byte {self.offset:,}"
                    )

    def _parse(self, lines: bytes) -> list[Entry]:
        try:
            entries: list[Entry] = from_json(b"[" + lines.replace(b"\n", b",") + b"]")
        except ValueError as error:
            raise DamagedError(
                self.path, f"is no journal behind byte {self.offset:,} ({str(error)[:QUOTED_CHARACTERS]})"
            ) from error
        return entries

    def _apply(self, entry: Entry) -> None:
        code = entry["op_code"]
        if code == CREATE_TRIAL:
            self.trials.append(_new_trial(len(self.trials), entry))
        elif code == STUDY_ATTRIBUTE:
            self.user_attrs.update({_text(name): _text(value) for name, value in entry["user_attr"].items()})
        elif code in CHANGES:
            trial = self.trials[_whole(entry["trial_id"])]
            if not trial.state.is_finished():  # as Optuna ignores later entries too
                CHANGES[code](trial, entry)


def _new_trial(number: int, entry: Entry) -> FrozenTrial:
    distributions = {name: _distribution(text) for name, text in entry.get("distributions", {}).items()}
    params = {name: distributions[name].to_external_repr(value) for name, value in entry.get("params", {}).items()}
    return FrozenTrial(
        number=number, trial_id=number, state=TrialState(entry.get("state", TrialState.RUNNING.value)),
        value=entry.get("value"), values=entry.get("values"), params=params, distributions=distributions,
        user_attrs=_attributes(entry.get("user_attrs", {})), system_attrs=dict(entry.get("system_attrs", {})),
        intermediate_values={
            _whole(int(step)): _number(value) for step, value in entry.get("intermediate_values", {}).items()
        },
        datetime_start=_time(entry.get("datetime_start")), datetime_complete=_time(entry.get("datetime_complete")),
    )  # fmt: skip


def _set_parameter(trial: FrozenTrial, entry: Entry) -> None:
    name, distribution = _text(entry["param_name"]), _distribution(entry["distribution"])
    trial.params[name] = distribution.to_external_repr(_number(entry["param_value_internal"]))
    trial.distributions[name] = distribution


def _set_state(trial: FrozenTrial, entry: Entry) -> None:
    state = TrialState(entry["state"])
    if state == trial.state == TrialState.RUNNING:
        return  # started before
    trial.state = state
    if trial.state == TrialState.RUNNING:
        trial.datetime_start = _time(entry["datetime_start"])
    if trial.state.is_finished():
        trial.datetime_complete = _time(entry["datetime_complete"])
    if entry["values"] is not None:
        trial.values = [_number(value) for value in entry["values"]]


def _set_value(trial: FrozenTrial, entry: Entry) -> None:
    trial.intermediate_values[_whole(entry["step"])] = _number(entry["intermediate_value"])


def _set_attribute(trial: FrozenTrial, entry: Entry) -> None:
    trial.user_attrs.update(_attributes(entry["user_attr"]))


def _attributes(found: dict[str, Any]) -> dict[str, Any]:
    """A trial's own attributes; raises TypeError for one of another type than a search writes."""
    for name, value in found.items():
        kind = ATTRIBUTE_TYPES.get(name, int if name.startswith(RESUMED) else str)
        if not isinstance(value, kind) or (isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER):
            raise TypeError(f"{name[:40]} is no {kind.__name__}")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {type(value).__name__}")
    return value


def _whole(value: Any) -> int:
    """A count, or an index of a list."""
    if not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"expected a whole number from 0 to {MAX_INTEGER:,}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return float(value)


def _set_system_attribute(trial: FrozenTrial, entry: Entry) -> None:
    trial.system_attrs.update(entry["system_attr"])


CHANGES: dict[int, Callable[[FrozenTrial, Entry], None]] = {
    PARAMETER: _set_parameter, STATE: _set_state, VALUE: _set_value, ATTRIBUTE: _set_attribute,
    SYSTEM_ATTRIBUTE: _set_system_attribute,
}  # fmt: skip


@cache
def _distribution(text: str) -> BaseDistribution:
    for choice in from_json(text)["attributes"].get("choices", ()):
        if not isinstance(choice, bool | int | float | str | None):
            raise TypeError(f"a choice is a {type(choice).__name__}")
    return json_to_distribution(text)


def _time(text: str | None) -> datetime | None:
    """A local, naive time, as Optuna uses it."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[1]}")
    return moment.astimezone().replace(tzinfo=None)


@dataclass(frozen=True)
class StorageReader:
    """One search's study, from a database that the reader must name, too."""

    spec: SearchSpec
    """The search."""
    folder: Path
    """Its folder."""

    def read(self) -> StudySnapshot:
        """The study as it is now, read by Optuna."""
        study = load_study(self.spec, self.folder)
        return StudySnapshot(study.user_attrs, study.get_trials(deepcopy=False))


def read_study(spec: SearchSpec, folder: Path) -> StudySnapshot:
    """The study of the search in `folder`, of any user; raises `UserError` where it cannot be read."""
    return open_study(spec, folder).read()


def open_study(spec: SearchSpec, folder: Path) -> SnapshotReader:
    """A reader of the study of the search in `folder`; raises `UserError` where there is none."""
    if spec.storage:
        return StorageReader(spec, folder)
    if not is_file(folder / JOURNAL):
        raise UserError(f"{str(folder)!r}: holds no {JOURNAL}")
    return JournalReader(folder / JOURNAL)
