"""A record of somebody else's names a database: none is opened unless the reader names it too, and none is changed."""

import hashlib
import json
import sqlite3

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.samplers import RandomSampler

from searchspace.spec import load_facts, load_spec, make_spec, save_record
from searchspace.study.database import STORAGE_VARIABLE, allowed_url
from searchspace.study.study import create_study, find_study, load_own_study
from searchspace.study.study_snapshot import read_study
from tests.helpers.attacks.commands import READING, call
from tests.helpers.made_search import make_search
from trainables.common.errors import UserError


@pytest.fixture
def found(tmp_path, digits):
    """Folder of a search that came from elsewhere."""
    return make_search(tmp_path / "found", digits, trials=3)


def naming(folder, url):
    """Let the record of the search in `folder` name a database."""
    facts = load_facts(folder)
    facts["spec"]["storage"] = url
    (folder / "search.json").write_text(json.dumps(facts))
    return folder


def state(file):
    """What a file holds, and what lies beside it."""
    return hashlib.sha256(file.read_bytes()).digest(), sorted(path.name for path in file.parent.iterdir())


@pytest.fixture
def victim(tmp_path):
    """A database of another program."""
    file = tmp_path / "bank" / "victim.db"
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        database.execute("create table accounts (name text)")
    database.close()
    return file


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_file_that_a_record_names_stays_as_it_is(arguments, found, victim):
    naming(found, f"sqlite:///{victim}")
    before = state(victim)
    done = call(arguments, found)
    assert state(victim) == before
    assert done.refused_in_one_line, done
    assert f"names a database, 'sqlite:///{victim}'" in done.error
    assert f"give --storage 'sqlite:///{victim}'" in done.error


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_file_that_is_not_there_is_not_made(arguments, found, tmp_path):
    naming(found, f"sqlite:///{tmp_path}/new.db")
    assert call(arguments, found).refused_in_one_line
    assert not (tmp_path / "new.db").exists()


def test_even_a_named_database_is_not_changed(found, victim, monkeypatch):
    naming(found, f"sqlite:///{victim}")
    before = state(victim)
    done = call(("leaderboard",), found, "--storage", f"sqlite:///{victim}")
    assert done.refused_in_one_line, done
    assert "holds no study" in done.error
    monkeypatch.setenv(STORAGE_VARIABLE, f"sqlite:///{victim}")
    assert find_study(load_spec(found), found) is None
    assert state(victim) == before


@pytest.fixture
def stored(tmp_path):
    """Folder of a search whose study is in a database of SQLite, and that database."""
    file = tmp_path / "studies.db"
    spec = make_spec(name="stored", trials=2, results=str(tmp_path / "results"), storage=f"sqlite:///{file}")
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {})
    _fill(spec)
    return spec.folder, file


def _fill(spec):
    study = create_study(spec, RandomSampler(seed=0))
    for score in (0.1, 0.2):
        trial = study.ask()
        trial.report(score, 1)
        study.tell(trial, score)


def test_a_database_that_is_named_is_read_and_cannot_be_written(stored, monkeypatch):
    folder, file = stored
    before = state(file)
    assert call(("leaderboard",), folder).refused_in_one_line
    done = call(("leaderboard", "--format", "json"), folder, "--storage", f"sqlite:///{file}")
    assert [row["score"] for row in json.loads(done.output)] == [0.2, 0.1]
    monkeypatch.setenv(STORAGE_VARIABLE, f"sqlite:///{file}")
    assert [trial.value for trial in read_study(load_spec(folder), folder).trials] == [0.1, 0.2]
    with pytest.raises(StorageInternalError) as refused:
        optuna.load_study(storage=_reading(file), study_name="stored").set_user_attr("mine", 1)
    assert "readonly database" in str(refused.value.__cause__)
    assert state(file) == before


@pytest.mark.parametrize("command", ["leaderboard", "report", "replay"])
def test_every_command_that_reads_a_study_takes_the_url(command, stored):
    folder, file = stored
    assert "names a database" in call((command,), folder).error
    assert "names a database" not in call((command,), folder, "--storage", f"sqlite:///{file}").error


def _reading(file):
    from searchspace.study.database import open_to_read

    return open_to_read(f"sqlite:///{file}")


def test_a_path_with_signs_of_urls_is_that_path(tmp_path, monkeypatch):
    spec = make_spec(name="odd", trials=2, results=str(tmp_path), storage=f"sqlite:///{tmp_path}/50%25 of %3f#1.db")
    _fill(spec)
    assert (tmp_path / "50% of ?#1.db").is_file()
    monkeypatch.setenv(STORAGE_VARIABLE, spec.storage)
    assert len(read_study(spec, spec.folder).trials) == 2


def test_the_board_of_all_searches_goes_on_without_it(found, victim, digits):
    naming(found, f"sqlite:///{victim}")
    make_search(found.parent.parent / "more", digits, trials=3).rename(found.parent / "good")
    done = call(("leaderboard", "--format", "json"), found.parent)
    rows = {row["search"]: row for row in json.loads(done.output)}
    assert rows["good"]["test_accuracy"] > 0.5
    assert (rows["made"]["status"], rows["made"]["trials"]) == ("unreadable", "?/3")
    assert f"names a database, 'sqlite:///{victim}'" in rows["made"]["problem"]
    assert list(rows["made"]) == list(rows["good"])
    board = call(("leaderboard",), found.parent)
    assert (board.code, "good" in board.output) == (0, True)
    assert board.error.startswith("warning: search 'made': the record names a database")


@pytest.mark.parametrize(
    ("named", "recorded"),
    [
        ("postgresql://me:secret@here/db", "postgresql://me:***@elsewhere/db"),
        ("postgresql://me:secret@here/db", "postgresql://me:***@here/other"),
        ("postgresql://me:secret@here/db", "postgresql://me:***@here/db?host=elsewhere"),
        ("postgresql://me:secret@here/db", "postgresql://me:***@here/db?hostaddr=10.0.0.1"),
        ("postgresql://me:secret@here/db", "postgresql://me@here/db"),
        ("sqlite:////one.db", "sqlite:////other.db"), ("", "postgresql://me@here/db"),
    ],
)  # fmt: skip
def test_another_database_than_the_named_one_is_refused(named, recorded, monkeypatch):
    monkeypatch.setenv(STORAGE_VARIABLE, named)
    with pytest.raises(UserError, match="the record names a database") as refused:
        allowed_url(recorded)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("recorded", ["postgresql://me:***@here/db", "postgres://me:***@here/db"])
def test_the_named_database_is_opened_with_its_password(recorded, monkeypatch):
    monkeypatch.setenv(STORAGE_VARIABLE, "postgresql://me:secret@here/db")
    assert allowed_url(recorded) == "postgresql://me:secret@here/db"


@pytest.mark.slow
def test_postgresql_is_read_in_transactions_that_change_nothing(tmp_path, postgres, monkeypatch):
    from searchspace.study.database import open_to_read

    spec = make_spec(name="stored", trials=2, results=str(tmp_path), storage=postgres)
    with pytest.raises(UserError, match="holds no studies"):
        open_to_read(postgres)
    _fill(spec)
    monkeypatch.setenv(STORAGE_VARIABLE, postgres)
    assert [trial.value for trial in read_study(spec, spec.folder).trials] == [0.1, 0.2]
    with pytest.raises(StorageInternalError) as refused:
        optuna.load_study(storage=open_to_read(postgres), study_name="stored").set_user_attr("mine", 1)
    assert "read-only transaction" in str(refused.value.__cause__)
    assert len(load_own_study(spec, spec.folder).trials) == 2
