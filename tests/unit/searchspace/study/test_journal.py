"""The journal that is written behind: what Optuna reads back, order, full disks, restarts."""

import errno
import json

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from searchspace.study.journal import WriteBehindJournal
from trainables.common.retry import RetryPolicy

QUICK = RetryPolicy(first=0.01, most=0.01)


def entries(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_optuna_reads_from_the_file_what_was_told(tmp_path):
    journal = WriteBehindJournal(tmp_path / "journal")
    study = optuna.create_study(storage=JournalStorage(journal), study_name="s", direction="maximize")
    for number in range(20):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("note", ("tuple", number))
        trial.report(number / 20, 1)
        study.tell(trial, number / 20)
    journal.flush()
    read = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(tmp_path / "journal"))), study_name="s")
    assert read.trials == study.trials
    assert read.trials[3].user_attrs["note"] == ["tuple", 3]


def test_entries_are_on_disk_in_order_when_flush_returns(tmp_path):
    journal = WriteBehindJournal(tmp_path / "journal")
    for number in range(500):
        journal.append_logs([{"number": number}])
        assert list(journal.read_logs(number)) == [{"number": number}], "readable at once"
    journal.flush()
    assert entries(tmp_path / "journal") == [{"number": number} for number in range(500)]


def test_what_is_read_and_on_disk_takes_no_memory_and_can_be_read_again(tmp_path):
    journal = WriteBehindJournal(tmp_path / "journal")
    for number in range(100):
        journal.append_logs([{"number": number}])
        list(journal.read_logs(number))
    journal.flush()
    journal.append_logs([{"number": 100}])
    journal.flush()
    assert len(journal._entries) < 5
    assert [entry["number"] for entry in journal.read_logs(0)] == list(range(101))


def test_a_journal_is_taken_up_where_it_ended(tmp_path):
    first = WriteBehindJournal(tmp_path / "journal")
    first.append_logs([{"number": 0}])
    first.flush()
    second = WriteBehindJournal(tmp_path / "journal")
    second.append_logs([{"number": 1}])
    second.flush()
    assert list(second.read_logs(0)) == entries(tmp_path / "journal") == [{"number": 0}, {"number": 1}]


def test_a_disk_that_is_full_for_a_while_loses_and_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("searchspace.study.journal.WRITE_RETRIES", QUICK)
    journal = WriteBehindJournal(tmp_path / "journal")
    write, left = JournalFileBackend.append_logs, [2]

    def fills_up(backend, logs):
        if left[0]:
            left[0] -= 1
            with (tmp_path / "journal").open("a") as file:
                file.write('{"number": ')  # half an entry, as a full disk leaves it
            raise OSError(errno.ENOSPC, "No space left on device")
        write(backend, logs)

    monkeypatch.setattr(JournalFileBackend, "append_logs", fills_up)
    journal.append_logs([{"number": 0}, {"number": 1}])
    journal.flush()
    assert left == [0]
    assert entries(tmp_path / "journal") == [{"number": 0}, {"number": 1}]


def test_a_disk_that_stays_full_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("searchspace.study.journal.WRITE_RETRIES", QUICK)
    monkeypatch.setattr("searchspace.study.journal.FLUSH_TIMEOUT_S", 0.2)
    journal = WriteBehindJournal(tmp_path / "journal")

    def full(backend, logs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", full)
        journal.append_logs([{"number": 0}])
        with pytest.raises(OSError, match="No space left"):
            journal.flush()
    monkeypatch.setattr("searchspace.study.journal.FLUSH_TIMEOUT_S", 10.0)
    journal.flush()
    assert entries(tmp_path / "journal") == [{"number": 0}]
