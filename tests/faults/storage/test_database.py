"""A study's PostgreSQL that is restarted, crashes and is away, under single operations and under a running search."""

import random
import time
from collections.abc import Iterator

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.orm import Session

from searchspace.cli.interruption import DatabaseAwayError
from searchspace.study import retrying_storage
from searchspace.study.database import open_to_write
from searchspace.study.retrying_storage import CutOffError, is_unavailable
from tests.helpers.faults.invariant import Snapshot, check
from tests.helpers.servers.postgres import Server, serving
from trainables.common.redaction import redact_urls

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def commits(monkeypatch):
    """Cuts connections off right before or right after the next commits; nobody then knows what was done."""
    plan: list[str] = []
    real = Session.commit

    def commit(self) -> None:
        moment = plan.pop(0) if plan else ""
        if moment == "before":
            self.rollback()
            raise CutOffError("server closed the connection unexpectedly")
        real(self)
        if moment == "after":
            raise CutOffError("server closed the connection unexpectedly")

    monkeypatch.setattr(Session, "commit", commit)
    monkeypatch.setattr(retrying_storage, "FIRST_PAUSE_S", 0.001)
    return plan


def run_study(study: optuna.Study, cut) -> None:
    """Every operation that a search makes, `cut` off before or after its commit."""
    cut()
    study.set_user_attr("a", "1")
    for value in (0.25, 0.75):
        cut()
        study.enqueue_trial({"x": value}, user_attrs={"origin": "default"})
    for number in range(6):
        cut()
        trial = study.ask()
        cut()
        trial.suggest_float("x", 0.0, 1.0)
        for epoch in (1, 2):
            cut()
            trial.report(number / 10 + epoch / 100, epoch)
            cut()
            trial.set_user_attr(f"report-{epoch}", epoch)
        cut()
        if number == 3:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, number / 10)


def facts(study: optuna.Study) -> list[object]:
    return [
        (t.number, t.state, t.values, t.params, t.intermediate_values, t.user_attrs)
        for t in study.get_trials(deepcopy=False)
    ]


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("seed", range(8))
def test_what_is_cut_off_before_or_after_its_commit_is_done_once(server, commits, seed):
    rng = random.Random(seed)

    def cut() -> None:
        commits[:] = [rng.choice(["", "before", "after"]) for _ in range(rng.randint(0, 4))]

    whole, cut_off = (
        optuna.create_study(storage=open_to_write(server.url), sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(2)
    )
    run_study(whole, lambda: None)
    run_study(cut_off, cut)
    commits.clear()
    assert facts(cut_off) == facts(whole)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_a_restart_is_waited_for_and_a_longer_one_ends_in_one_line_at_once_ever_after(server, monkeypatch, mode):
    study = optuna.create_study(storage=open_to_write(server.url))
    trial = study.ask()
    server.stop(mode)
    server.start()
    trial.report(0.5, 1)
    monkeypatch.setattr(retrying_storage, "DATABASE_TIMEOUT_S", 1.5)
    server.stop(mode)
    try:
        with pytest.raises(DatabaseAwayError, match=r"has been away for .* s: .*refused") as away:
            study.tell(trial, 0.5)
        assert "secret" not in str(away.value)
        began = time.monotonic()
        with pytest.raises(DatabaseAwayError):
            study.ask()
        assert time.monotonic() - began < 0.5
    finally:
        server.start()
    (found,) = optuna.load_study(study_name=study.study_name, storage=open_to_write(server.url)).trials
    assert (found.state, found.intermediate_values) == (TrialState.RUNNING, {1: 0.5})


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_search_outlives_restarts_of_its_database(driver, server, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_STORAGE", server.url)
    driver.name, driver.folder = "restarted", driver.root / "results" / "restarted"
    driver.start("--storage", redact_urls(server.url), "--trials", "12", *SMALL)
    for mode, away in (("immediate", 0), ("fast", 6)):
        driver.wait_for(r"complete at epoch|paused at epoch")
        server.stop(mode)
        time.sleep(away)
        server.start()
    assert driver.ends(300) == 0, driver.output
    check(driver.folder, 12)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_database_that_stays_away_ends_the_search_which_goes_on_once_it_is_back(
    driver, server, tmp_path, monkeypatch
):
    monkeypatch.setenv("SEARCHSPACE_STORAGE", server.url)
    driver.name, driver.folder = "away", driver.root / "results" / "away"
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'searchspace.run' in ' '.join(sys.orig_argv):\n"
        "    from searchspace.study import retrying_storage\n"
        "    retrying_storage.DATABASE_TIMEOUT_S = 3.0\n"
    )
    path = f"{tmp_path / 'short'}:{driver.here}"
    driver.start("--storage", redact_urls(server.url), "--trials", "12", *SMALL, environment={"PYTHONPATH": path})
    driver.wait_for(r"complete at epoch")
    server.stop()
    code = driver.ends(120)
    server.start()
    assert code == 1, driver.output
    last = driver.output.strip().splitlines()[-1]
    assert last.startswith("error: the study's database has been away for 3 s: "), driver.output
    assert last.endswith("resume with: searchspace run --resume away")
    assert "Traceback" not in driver.output
    before = Snapshot.take(driver.folder)
    driver.resume()
    assert driver.ends(300) == 0, driver.output
    check(driver.folder, 12, before)


@pytest.mark.parametrize(
    ("code", "connected", "away"),
    [
        ("57P01", True, True), ("57P03", False, True), ("08006", True, True), ("53300", False, True),
        ("25006", True, True), ("40P01", True, False), ("40001", True, False), ("23505", True, False),
        ("28P01", False, False), ("42P01", True, False),
    ],
)  # fmt: skip
def test_a_server_that_is_away_is_known_by_its_state(code, connected, away):
    error = type("OperationalError", (Exception,), {"pgcode": code})("said")
    assert is_unavailable(error, connected) is away


@pytest.mark.parametrize(
    ("said", "away"),
    [
        ('connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused', True),
        ("server closed the connection unexpectedly", True), ("timeout expired", True),
        ('FATAL:  password authentication failed for user "me"', False), ('FATAL:  database "x" does not exist', False),
    ],
)  # fmt: skip
def test_who_cannot_connect_at_all_does_not_wait(said, away):
    error = type("OperationalError", (Exception,), {"pgcode": None})(said)
    assert is_unavailable(error, connected=False) is away
    assert not is_unavailable(error, connected=True)
