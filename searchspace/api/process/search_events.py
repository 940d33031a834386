"""Events of a running search, as callbacks hear them, and their form as lines of JSON.

`searchspace.search(..., callbacks=[function])` calls `function(event)` with one of these frozen objects, in the order
in which they happened. Use `isinstance`, or `match` on the class or on `event.type`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter

from searchspace.progress.search_progress import SearchProgress
from trainables.config import Frozen

EndStatus = Literal["complete", "interrupted", "failed"]
ErrorKind = Literal["", "UserError", "NoWinnerError", "SearchEndedError", "LostError", "defect"]
PhaseName = Literal["preparation", "search", "finals", "winner", "test", "export", "report"]
TrialEndStatus = Literal["complete", "stopped", "failed"]


def _to_valid_unicode(text: object) -> object:
    """A file's name may hold bytes of no text, which JSON cannot have; they are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(_to_valid_unicode)]


class _Event(Frozen):
    """What all events have."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    seconds: float = 0.0
    """When it happened, in seconds since the search's process began; a resumed search counts from its resumption."""


class SearchStarted(_Event):
    """The search has its folder; its study is about to begin or to be loaded."""

    type: Literal["SearchStarted"] = "SearchStarted"
    name: Text
    """Name of the search."""
    folder: Text
    """Its results folder, an absolute path; with results at a URL, the working copy on this machine."""
    log: Text
    """File with what libraries print."""


class PhaseStarted(_Event):
    """A phase begins: preparation, search, finals, winner, test, export, report, in this order."""

    type: Literal["PhaseStarted"] = "PhaseStarted"
    name: PhaseName
    """Name of the phase."""


class PhaseEnded(_Event):
    """A phase is over."""

    type: Literal["PhaseEnded"] = "PhaseEnded"
    name: PhaseName
    """Name of the phase."""


class WorkProgress(_Event):
    """How far long work is, such as decoding images; at most a few of these a second."""

    type: Literal["WorkProgress"] = "WorkProgress"
    what: Text
    """The work."""
    done: int
    """Parts that are done."""
    total: int
    """All parts; 0 is not known."""


class GangReady(_Event):
    """A gang of workers can train: a slot is warm."""

    type: Literal["GangReady"] = "GangReady"
    slot: int
    """Number of the slot, from 0."""
    device: Text
    """`cpu`, or the GPU's name."""
    precision: Text
    """`bf16` or `fp32`."""
    threads: int
    """Threads of each worker."""


class TrialStarted(_Event):
    """A trial begins to train."""

    type: Literal["TrialStarted"] = "TrialStarted"
    number: int
    """Number of the trial, from 0."""
    config: dict[str, bool | int | float | Text]
    """Its hyperparameters by name: those that were drawn or pinned."""


class EpochEnded(_Event):
    """A trial has trained an epoch and was evaluated on the validation split."""

    type: Literal["EpochEnded"] = "EpochEnded"
    number: int
    """Number of the trial."""
    epoch: int
    """Epochs that it has trained so far."""
    max_epochs: int
    """Epochs of its full length."""
    score: float
    """Validation score in the search's metric; higher is better."""
    accuracy: float
    """Validation accuracy, from 0 to 1."""
    val_loss: float
    """Mean validation cross-entropy, in nats."""
    train_loss: float
    """Mean training loss of the epoch, in nats."""
    epoch_seconds: float
    """Seconds that the epoch took, its evaluation included."""
    images_per_second: float
    """Training images a second, over all workers."""
    slot: int | None
    """Slot that trained it."""


class TrialPaused(_Event):
    """A trial waits at a rung of the early stopping; it may be resumed."""

    type: Literal["TrialPaused"] = "TrialPaused"
    number: int
    """Number of the trial."""
    epoch: int
    """Epochs that it has trained."""
    score: float
    """Its validation score then."""


class TrialResumed(_Event):
    """A paused trial trains on."""

    type: Literal["TrialResumed"] = "TrialResumed"
    number: int
    """Number of the trial."""
    epoch: int
    """Epochs that it has trained before."""
    is_audit: bool = False
    """Whether it was stopped, and is trained on to measure what early stopping costs."""


class TrialEnded(_Event):
    """A trial has ended."""

    type: Literal["TrialEnded"] = "TrialEnded"
    number: int
    """Number of the trial."""
    status: TrialEndStatus
    """`complete` at full length, `stopped` early, or `failed`."""
    epoch: int
    """Epochs that it has trained."""
    score: float | None
    """Its last validation score; None where it failed, or has none."""
    reason: Text
    """Why it failed; empty where it did not."""
    is_best: bool
    """Whether it is the best of the search so far."""


class WinnerFound(_Event):
    """The winner is retrained on training and validation images, and was tested once."""

    type: Literal["WinnerFound"] = "WinnerFound"
    trial: int
    """Number of the trial; of an ensemble, its first member's."""
    members: tuple[int, ...]
    """Numbers of all its trials; more than one is an ensemble."""
    metric: Text
    """The search's metric."""
    score: float
    """Mean validation score over its fresh seeds, in that metric."""
    search_score: float | None
    """Validation score of its trial in the search; None for an ensemble."""
    test: dict[str, float]
    """Scores on the test split by metric, with their 95 % intervals as `NAME_low` and `NAME_high`."""


class LogMessage(_Event):
    """A message of the search, of level INFO or higher; the logger `searchspace.search` has it, too."""

    type: Literal["LogMessage"] = "LogMessage"
    level: int
    """A level of `logging`: 20 is INFO, 30 is WARNING, 40 is ERROR."""
    message: Text
    """The message, one line."""


class ProgressUpdated(_Event):
    """The state of the running search as a live table shows it; at most twice a second."""

    type: Literal["ProgressUpdated"] = "ProgressUpdated"
    progress: SearchProgress
    """Counts, best trial and slots."""


class SearchEnded(_Event):
    """The last event: the search's process is about to end."""

    type: Literal["SearchEnded"] = "SearchEnded"
    status: EndStatus
    """`complete` with a winner, `interrupted`, or `failed`."""
    error: ErrorKind = ""
    """Class of the error where it failed; `defect` is one of the program itself."""
    message: Text = ""
    """The error in one line."""


SearchEvent = (
    SearchStarted | PhaseStarted | PhaseEnded | WorkProgress | GangReady | TrialStarted | EpochEnded | TrialPaused
    | TrialResumed | TrialEnded | WinnerFound | LogMessage | ProgressUpdated | SearchEnded
)  # fmt: skip
"""Any of the events."""
_EVENTS: TypeAdapter[SearchEvent] = TypeAdapter(Annotated[SearchEvent, Field(discriminator="type")])


def encode_event(event: SearchEvent) -> bytes:
    """The event as one line of JSON, in UTF-8, its end of line included."""
    return event.model_dump_json().encode() + b"\n"


def decode_event(line: bytes) -> SearchEvent:
    """The event of one line; raises pydantic's `ValidationError` for any other text."""
    return _EVENTS.validate_json(line)
