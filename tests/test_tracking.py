"""MLflow as it is: a server of its own that is told everything once, or is not there and costs a warning."""

import os
import subprocess
import sys
import time

import pytest

from searchspace.sampling.samplers import make_sampler
from searchspace.spec import make_spec, save_record
from searchspace.study import create_study, flush_study
from searchspace.tracking.beside import LOG, tracked
from tests.mlflow_server import free_port, serving


def test_a_dead_tracking_server_costs_a_warning_and_nothing_else(tmp_path, monkeypatch):
    spec = make_spec(name="s", results=str(tmp_path))
    flush_study(create_study(spec, make_sampler(spec, "random")))
    save_record(spec.folder, spec, {"started": "2026-01-01T00:00:00+00:00"})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said: list[str] = []
    with tracked(spec, said.append):
        done = "the search"
    assert done == "the search"
    (line,) = said
    assert line.startswith("warning: MLflow")
    assert "127.0.0.1" in (spec.folder / LOG).read_text()


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
