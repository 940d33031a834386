"""MLflow as it is: a server of its own that is told everything once, or is not there and costs a warning."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec, save_record
from searchspace.study.study import create_study, flush_study
from searchspace.tracking.background_upload import UPLOAD_LOG, tracked
from searchspace.tracking.runs import EXPERIMENT, RunUploader
from searchspace.tracking.tracking_store import (
    STORE_PROBLEMS,
    artifacts_uri,
    check_store,
    database_file,
    database_uri,
    explain_store_error,
    explaining_store_errors,
    tracking_uri,
)
from tests.helpers.servers.mlflow_server import free_port, serving
from trainables.common.errors import UserError

ODD = [
    "plain",
    "a b",
    "q?x=1",
    "h#x",
    "p%x",
    "p%20x",
    "%",
    "ä'\"",
    "a&b;c",
    "[x]{y}",
    "u:p@h",
    "~t",
    "b\\s",
    "+",
    "日本",
]
"""Names of folders that mean something in a URI, a shell or a page, or are rare."""
MESSAGES = {
    "The experiment 1 must be in the 'active' state. Current state is deleted.": "mlflow experiments restore",
    "Detected out-of-date database schema (found version 451aebb31d03, but expected dc11669786a5). Take a backup of "
    "your database, then run 'mlflow db upgrade <database_uri>' to": "mlflow db upgrade sqlite:////r/mlflow.db, or",
    "(sqlite3.OperationalError) database is locked\n[SQL: SELECT name FROM sqlite_master]": "end that process",
    "(sqlite3.OperationalError) database or disk is full": "make room",
    "(sqlite3.DatabaseError) file is not a database\n[SQL: SELECT name": "move it away",
    "(sqlite3.OperationalError) unable to open database file": "make it writable",
    "(sqlite3.OperationalError) attempt to write a readonly database": "make it writable",
    "API request to endpoint /api/2.0/mlflow/x failed with error code 401 != 200.": "set MLFLOW_TRACKING_USERNAME and",
    "API request to endpoint /api/2.0/mlflow/x failed with error code 404 != 200.": "set MLFLOW_TRACKING_URI to one",
    "API request to endpoint was successful but the response body was not in a valid JSON format.": "URI to one",
    "API request to http://127.0.0.1:9/ failed with exception HTTPConnectionPool(host='127.0.0.1', port=9): Max "
    "retries exceeded with url": "start it (behind a proxy, name its host in NO_PROXY), or",
    "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not": "sqlite:////PATH/FILE.db",
    " Model registry functionality is unavailable; got unsupported URI 'htp://127.0.0.1:9'": "http://HOST:PORT",
    "No module named 'psycopg'": "(No module named 'psycopg'); pip install it",
}
"""What MLflow 3.17 raised in each situation, and what is to be advised."""


@pytest.mark.parametrize("told", MESSAGES)
def test_each_error_of_a_store_is_one_line_that_ends_in_what_to_do(told):
    line = explain_store_error(RuntimeError(told), "sqlite:////r/mlflow.db")
    assert line.startswith("MLflow at 'sqlite:////r/mlflow.db': ")
    assert MESSAGES[told] in line.partition("; ")[2] or MESSAGES[told] in line
    assert "\n" not in line


def test_no_kind_of_trouble_is_never_found():
    lines = [explain_store_error(RuntimeError(told), "http://h") for told in MESSAGES]
    for trouble in STORE_PROBLEMS:
        assert any(trouble.remedy.partition("{")[0] in line for line in lines), trouble
    assert explain_store_error(ValueError("odd\nthings"), "http://h") == "MLflow at 'http://h': ValueError: odd"


def test_a_defect_of_this_program_is_not_blamed_on_mlflow():
    with pytest.raises(KeyError), explaining_store_errors("http://h"):
        raise KeyError("x")


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name_is_where_the_uri_says(tmp_path, name):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder = tmp_path / name / "search"
    folder.mkdir(parents=True)
    uri = tracking_uri(folder)
    assert make_url(uri).database == str(tmp_path / name / "mlflow.db")
    assert database_file(uri) == tmp_path / name / "mlflow.db"
    sqlite3.connect(make_url(uri).database).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    file = folder / "file.txt"
    file.write_text("content")
    get_artifact_repository(artifacts_uri(folder)).log_artifact(str(file))
    assert (tmp_path / name / "mlartifacts" / "file.txt").read_text() == "content"
    assert uri.startswith("sqlite:///") == (not set("?%#") & set(name)), "as the documentation has it, where that works"


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path):
    check_store(database_uri(tmp_path / "none" / "mlflow.db"))
    check_store("http://127.0.0.1:9")
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(UserError, match=r"mlflow\.db. or its folder cannot be written; make it writable"):
        check_store(database_uri(tmp_path / "mlflow.db"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        check_store(database_uri(tmp_path / "file" / "mlflow.db"))


def begun(results: Path):
    """A search that has begun in this folder of results."""
    spec = make_spec(name="s", results=str(results))
    flush_study(create_study(spec, make_sampler(spec, "random")))
    save_record(spec.folder, spec, {"started": "2026-01-01T00:00:00+00:00"})
    return spec


def test_deleted_and_outdated_stores_are_told_with_their_remedy(tmp_path, monkeypatch, logged):
    """A store of MLflow's own making, in a folder of an odd name, and what becomes of it."""
    from mlflow.tracking import MlflowClient

    results = tmp_path / "r? 100% #1 'ä'"
    spec = begun(results)
    uri, file = tracking_uri(spec.folder), results / "mlflow.db"
    monkeypatch.chdir(results)  # MLflow writes down the folder that it runs in, and quotes nothing
    with tracked(spec):
        pass
    assert logged == [], (spec.folder / UPLOAD_LOG).read_text()
    assert file.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [results.name]
    kept = tmp_path / "kept.db"
    shutil.copy(file, kept)

    MlflowClient(uri).delete_experiment(MlflowClient(uri).get_experiment_by_name(EXPERIMENT).experiment_id)
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.tracking", str(spec.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("error: MLflow at 'sqlite+pysqlite:///")
    assert "its experiment 'searchspace' is deleted; restore it: MLFLOW_TRACKING_URI=sqlite+pysqlite:" in line
    assert line.endswith(" mlflow experiments restore --experiment-id 1")
    assert "Traceback" not in done.stderr

    elsewhere = begun(tmp_path / "other")
    other = tmp_path / "other" / "mlflow.db"
    shutil.copy(kept, other)
    with sqlite3.connect(other) as database:
        database.execute("update alembic_version set version_num = '451aebb31d03'")
    database.close()
    failed = pytest.raises(UserError, match="schema of another MLflow version; back it up and run: mlflow db upgrade s")
    with failed, explaining_store_errors(tracking_uri(elsewhere.folder)):
        RunUploader(elsewhere, elsewhere.folder)


def test_a_dead_tracking_server_costs_a_warning_and_nothing_else(tmp_path, monkeypatch, logged):
    spec = begun(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with tracked(spec):
        done = "the search"
    assert done == "the search"
    (line,) = logged
    assert line.startswith("warning: MLflow has not got everything: MLflow at 'http://127.0.0.1:9': no server answers")
    assert line.endswith(f"or set MLFLOW_TRACKING_URI to one that runs; then searchspace track {spec.folder}")
    assert "127.0.0.1" in (spec.folder / UPLOAD_LOG).read_text()


def test_an_upload_that_is_killed_is_told_and_started_again(tmp_path, monkeypatch, logged):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("searchspace.tracking.background_upload.PROCESS_CHECK_INTERVAL_S", 0.05)
    spec = begun(tmp_path)
    me = psutil.Process()
    before = set(me.children())
    with tracked(spec):
        (first,) = set(me.children()) - before
        first.kill()
        deadline = time.monotonic() + 20.0
        while not logged:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert logged == [f"warning: the upload to MLflow ended (see {spec.folder / UPLOAD_LOG}); it is started again"]
    assert len(logged) == 2, "only what the dead server costs"


def upload(folder, uri, seconds=None):
    """One upload; for so many `seconds`, one that follows the search."""
    command = [sys.executable, "-m", "searchspace.tracking", str(folder), *(["--follow"] if seconds else [])]
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    time.sleep(seconds or 0)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return said


def everything(client, experiment):
    """All runs with the lengths of their metrics' histories, but for the machine's own."""
    runs = client.search_runs([experiment], max_results=100)
    return {
        run.info.run_name: {
            name: sorted(m.step for m in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
            if not name.startswith("system/")
        }
        for run in runs
    }


@pytest.mark.slow
def test_a_real_server_is_told_everything_once(searched, tmp_path):
    from mlflow.tracking import MlflowClient

    folder = searched[0]
    with serving(tmp_path, free_port()) as uri:
        upload(folder, uri, seconds=20)
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name("searchspace").experiment_id
        first = everything(client, experiment)
        assert set(first) == {"first", *(f"trial-{number}" for number in range(5))}
        for name, metrics in first.items():
            for steps in metrics.values():
                assert steps == ([0] if name == "first" else list(range(1, len(steps) + 1)))
        parent = client.search_runs([experiment], "tags.`searchspace.role` = 'search'")[0]
        assert parent.data.metrics["system/cpu_utilization_percentage"] >= 0
        assert {"test_accuracy", "student_test_accuracy"} <= set(parent.data.metrics)
        told = {file.path for file in client.list_artifacts(parent.info.run_id, "student")}
        assert {"student/README.md", "student/student.json"} <= told
        assert parent.info.status == "FINISHED"
        (version,) = client.search_model_versions("name = 'searchspace-first'")
        assert client.get_model_version_by_alias("searchspace-first", "champion").version == version.version
        logged = client.get_logged_model(version.source.removeprefix("models:/"))
        files = {artifact.path for artifact in client.list_logged_model_artifacts(logged.model_id)}
        assert {"model.onnx", "MLmodel", "input_example.json"} <= files
        assert "is in MLflow's experiment 'searchspace'" in upload(folder, uri)
        assert everything(client, experiment) == first
        assert len(client.search_model_versions("name = 'searchspace-first'")) == 1
