"""Optuna's database storage with retries: its server may be restarted or fail over during a search.

An interrupted operation may or may not have been committed, so each retry has to be idempotent. Attributes, parameters
and reports are keyed by trial and name: writing one again changes nothing. A new trial and a trial's state are read
before they are written again; only the search itself writes to its study.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url

from searchspace.cli.interruption import DatabaseAwayError
from searchspace.optuna_compat import HookedStorage

DATABASE_TIMEOUT_S = 120.0
"""Seconds that a database may be unavailable during a search; a failover of managed servers takes 30 to 120."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 5.0
"""First and longest pause before a retry, in seconds; pauses double, and are randomised."""
UNAVAILABLE_STATES = ("08", "57P", "53300", "25006")
"""Prefixes of the SQLSTATEs of an unavailable server: connection errors, shutdown and start, too many connections, and
read-only, as the old primary is after a failover."""
REFUSAL_PHRASES = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")
"""Messages of a server that refuses to connect permanently; such errors have no SQLSTATE."""
CONNECT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 10, "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
"""libpq's options that detect a lost server within some 30 s, unless the URL sets them."""
T = TypeVar("T")


def engine_options(url: str) -> dict[str, Any]:
    """Options of SQLAlchemy's engine for a database server at `url`."""
    given = make_url(url)
    is_libpq = given.drivername.endswith("psycopg2")
    connect = {name: value for name, value in CONNECT_OPTIONS.items() if is_libpq and name not in given.query}
    return {"pool_pre_ping": True, "connect_args": connect}


class CutOffError(Exception):
    """The connection was lost; it is not known whether the operation was committed."""


class RetryingStorage(HookedStorage):
    """Retries operations for `DATABASE_TIMEOUT_S`, then raises `DatabaseAwayError`, also on all later calls."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any], skip_table_creation: bool = False) -> None:
        """Open the database, without retries."""
        options = engine_options(url) | engine_kwargs
        super().__init__(url, engine_kwargs=options, skip_table_creation=skip_table_creation)
        self._failure = ""
        event.listen(self.engine, "handle_error", _raise_cut_off)

    def attempt(self, do: Callable[[], T], find: Callable[[], T | None] = lambda: None) -> T:
        """Call `do`; after a lost connection, return what `find` finds of it, else call it again."""
        if self._failure:
            raise DatabaseAwayError(self._failure)
        deadline, pause, tried = time.monotonic() + DATABASE_TIMEOUT_S, FIRST_PAUSE_S, False
        while True:
            try:
                found = find() if tried else None
                return do() if found is None else found
            except CutOffError as error:
                tried = True
                if time.monotonic() + pause > deadline:
                    self._give_up(error)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            pause = min(2 * pause, MAX_PAUSE_S)

    def _give_up(self, error: CutOffError) -> NoReturn:
        self._failure = f"the study's database has been away for {DATABASE_TIMEOUT_S:.0f} s: {error}"
        raise DatabaseAwayError(self._failure) from None  # the cause's own text may hold the password

    # Read operations that Optuna's cache calls.

    def get_study_id_from_name(self, study_name: str) -> int:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_study_name_from_id(study_id))

    def get_study_directions(self, study_id: int) -> Any:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_study_directions(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_study_system_attrs(study_id))

    def get_all_studies(self) -> Any:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_all_studies())

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As in Optuna."""
        return self.attempt(lambda: super(RetryingStorage, self).get_trial(trial_id))

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """As in Optuna."""
        own = super().get_trial_id_from_study_id_trial_number
        return self.attempt(lambda: own(study_id, trial_number))

    # Write operations.

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As in Optuna; a trial that already has this state is not written again."""
        own = super().set_trial_state_values

        def find() -> bool | None:
            there = super(RetryingStorage, self).get_trial(trial_id)
            return True if there.state == state and (values is None or there.values == list(values)) else None

        return self.attempt(lambda: own(trial_id, state, values), find)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """As in Optuna."""
        own = super().set_trial_intermediate_value
        self.attempt(lambda: own(trial_id, step, intermediate_value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self.attempt(lambda: super(RetryingStorage, self).set_trial_user_attr(trial_id, key, value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self.attempt(lambda: super(RetryingStorage, self).set_trial_system_attr(trial_id, key, value))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self.attempt(lambda: super(RetryingStorage, self).set_study_user_attr(study_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self.attempt(lambda: super(RetryingStorage, self).set_study_system_attr(study_id, key, value))


def _raise_cut_off(context: ExceptionContext) -> None:
    """Raise errors of an unavailable server as `CutOffError`, which Optuna neither catches nor retries."""
    error = context.original_exception
    if context.is_pre_ping:
        return  # the pool opens another connection
    if context.is_disconnect or is_unavailable(error, connected=context.connection is not None):
        raise CutOffError(next(iter(str(error).strip().splitlines()), type(error).__name__))


def is_unavailable(error: BaseException, connected: bool) -> bool:
    """Whether a driver's error means that the server is unavailable for now; before it is `connected`, most do."""
    code = getattr(error, "pgcode", None)
    if code:
        return str(code).startswith(UNAVAILABLE_STATES)
    operational = type(error).__name__ in {"OperationalError", "InterfaceError"}
    return operational and not connected and not any(phrase in str(error) for phrase in REFUSAL_PHRASES)
