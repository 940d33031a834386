"""The commands as a person types them: a whole small search, and everything that can be typed wrongly."""

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
import pytest
from PIL import Image

from searchspace.cli.command import run_command
from searchspace.finals.choose_student import read_student
from searchspace.reporting.tables.searches import rank_searches
from searchspace.run import main
from searchspace.spec import load_facts, load_spec
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import read_curve
from tests.helpers.commands import command
from tests.helpers.images.data_sets import write_images
from trainables.common.escaping import as_markdown
from trainables.export.exported_files import read_export_record


def test_a_search_leaves_everything_it_promises(searched):
    folder, said = searched
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names >= {
        "search.json", "search.log", "study.journal", "report.html", "leaderboard.csv", "winner/model.json",
        "winner/README.md",
        "winner/metrics.json", "winner/confusion.csv", "winner/confusion.png", "winner/model.onnx",
        "winner/artefacts.json", "winner/robustness.json", "student/README.md", "student/model.onnx",
    }  # fmt: skip
    assert "gangs" not in names
    assert {path.name for path in folder.parent.iterdir()} == {"first", "mlflow.db", "mlartifacts"}
    assert {path.name for path in folder.parent.parent.iterdir()} >= {"results", "colours"}
    assert not (folder.parent.parent / "mlruns").exists(), "artifacts stay with the results"
    for part in (
        "5/5",
        "finalists",
        "test, once, 27 images: accuracy",
        "95 % Wilson interval",
        "model.onnx",
        "next: searchspace leaderboard",
    ):
        assert part in said
    assert "warning: MLflow" not in said
    assert "\x1b" not in said, "no terminal, no codes"
    told = Counter(line.split("] ", 1)[1] for line in said.splitlines() if line.startswith("["))
    assert [line for line, times in told.items() if times > 1] == [], "nothing is said twice"


def test_a_search_leaves_its_student_tested_with_the_winner_and_exported(searched, cache, tmp_path):
    folder, said = searched
    student = read_student(folder)
    assert student.status == "trained"
    assert student.limits == load_spec(folder).limits == {"max_params": 20_000}
    shipments = {part: read_export_record(folder / part) for part in ("winner", "student")}
    assert shipments["student"].cost.parameters == student.cost.parameters <= 20_000
    assert {a.file for a in shipments["student"].artefacts} <= {p.name for p in (folder / "student").iterdir()}
    assert "test split is opened, once" in said
    permits = [json.loads((folder / part / "test-opened.json").read_text()) for part in ("winner", "student")]
    assert permits[0] == permits[1]
    assert "student: " in said
    assert f"shipped in {Path('results', 'first', 'student')}" in said
    board = command("leaderboard", str(folder), home=tmp_path, cache=cache, cwd=tmp_path).stdout
    assert "the winner and its student, both tested once" in board


def test_everything_goes_by_the_metric_asked_for(searched, cache, tmp_path):
    folder, said = searched
    for part in ("validation macro F1 ", "fresh seeds (validation macro F1)", "by validation macro F1", ", macro F1: "):
        assert part in said
    assert "validation accuracy" not in said
    spec = load_spec(folder)
    reports = [read_curve(trial)[-1] for trial in load_study(spec, folder).get_trials() if read_curve(trial)]
    assert any(report.score != report.accuracy for report in reports if report.accuracy < 1)
    every = command("leaderboard", str(folder.parent), "--format", "json", home=tmp_path, cache=cache, cwd=tmp_path)
    (row,) = json.loads(every.stdout)
    assert row["metric"] == "f1_macro"
    tested = json.loads((folder / "winner" / "metrics.json").read_text())
    assert row["test_score"] == pytest.approx(tested["f1_macro"], abs=1e-4)


def test_the_winners_page_tells_what_the_end_told(searched):
    folder, said = searched
    page = (folder / "winner" / "README.md").read_text()
    (way,) = [line.removeprefix("winner: ") for line in said.splitlines() if line.startswith("winner: ")]
    assert as_markdown(way)[1:] in page
    assert "over 2 fresh seeds" in way
    assert "95 % Wilson (effective n) interval" in way, "it is a mean over classes"
    board = said[said.index("finalists, from fresh seeds") :].splitlines()
    assert [name for name in ("deviation", "seeds", "difference", "significant") if name not in board[1]] == []
    assert len([line for line in board[2:5] if line.split()[0] in {"0", "1", "2", "3", "4", "ensemble"}]) == 3
    assert page.count("is not significantly different") == said.count("is not significantly different")
    assert "searchspace run --data colours" in page


def test_the_record_repeats_the_search(searched):
    record = json.loads((searched[0] / "search.json").read_text())
    assert record["spec"]["pins"] == {"batch_size": 16}
    assert record["data"]["fingerprint"]
    assert record["versions"]["ray"]
    assert record["workers"][0]["precision"] in {"fp32", "bf16"}
    assert record["command"].startswith("searchspace run --data colours")


def test_a_search_says_how_far_off_its_forecasts_were(searched):
    record = json.loads((searched[0] / "search.json").read_text())
    assert 0 < record["took"]["search"] < record["took"]["finals"] < record["took"]["total"]
    assert searched[1].count("forecast from") == len(record["forecasts"])


DRY = (
    "--models", "convnet,resnet", "--set", "batch_size=16", "--trials", "4", "--max-epochs", "2", "--grace-epochs", "1",
    "--name", "forecast",
)  # fmt: skip


@pytest.mark.slow
def test_a_dry_run_says_what_a_search_takes_and_leaves_nothing(colour_folder, cache, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    options = ("--data", str(colour_folder), *DRY)
    stores = sorted(path.name for path in cache.glob("stores/colours-*/features/*"))
    dry = command("run", "--dry-run", "--price-per-hour", "36", *options, home=tmp_path, cache=cache, cwd=place)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    for part in ("at a time", "convnet", "resnet", "time   ", "memory ", "disk   ", "money  "):
        assert part in dry.stdout
    assert list(place.iterdir()) == [], "no results"
    assert sorted(path.name for path in cache.glob("stores/colours-*/features/*")) == stores


@pytest.mark.slow
def test_a_search_is_forecast_from_an_earlier_dry_run(colour_folder, cache, tmp_path):
    options = ("--data", str(colour_folder), *DRY)
    for dry in (("--dry-run",), ()):
        done = command("run", *dry, *options, home=tmp_path, cache=cache, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    (found, *_) = json.loads((tmp_path / "results" / "forecast" / "search.json").read_text())["forecasts"]
    assert found["basis"] == "an earlier dry run"
    assert "forecast from an earlier dry run: search" in done.stdout


def test_the_leaderboard_file_has_every_trial_once(searched):
    rows = list(csv.DictReader((searched[0] / "leaderboard.csv").open()))
    assert sorted(int(row["trial"]) for row in rows) == [0, 1, 2, 3, 4]
    epochs = {row["status"]: {r["epoch"] for r in rows if r["status"] == row["status"]} for row in rows}
    assert epochs["complete"] == {"6"}
    assert not epochs.get("stopped", set()) & {"6"}


def test_the_exported_model_knows_the_colours_without_this_project(searched, tmp_path):
    session = onnxruntime.InferenceSession(str(searched[0] / "winner" / "model.onnx"))
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    assert classes == ["blue", "grey", "red"]
    for label, colour in enumerate([(60, 60, 200), (120, 120, 120), (200, 60, 60)]):
        write_images(tmp_path / str(label), 20, (12, 12), colour, seed=9)
    files = sorted(tmp_path.glob("[012]/*.png"))
    images = np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])
    (probabilities,) = session.run(["probabilities"], {"images": images})
    assert probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-4)
    right = probabilities.argmax(axis=1) == [int(file.parent.name) for file in files]
    recorded = json.loads((searched[0] / "winner" / "metrics.json").read_text())["accuracy"]
    assert right.mean() == pytest.approx(recorded, abs=0.25)
    assert right.mean() > 0.5


def test_mlflow_has_parent_children_and_champion(searched):
    import mlflow
    from mlflow.tracking import MlflowClient

    results = searched[0].parent
    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("searchspace")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    children = [run for run in runs if run.data.tags["searchspace.role"] == "trial"]
    (parent,) = [run for run in runs if run.data.tags["searchspace.role"] == "search"]
    assert len(children) == 5
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    assert all(run.data.params["batch_size"] == "16" for run in children)
    steps = [m.step for m in client.get_metric_history(children[0].info.run_id, "score")]
    assert sorted(steps) == list(range(1, len(steps) + 1))
    known = load_facts(searched[0])
    for run in runs:
        assert run.data.tags["searchspace.data_fingerprint"] == known["data"]["fingerprint"]
        assert run.data.tags.get("searchspace.git_commit", "") == (known["git_commit"] or "")
    stopped = [run for run in children if run.data.tags["searchspace.reason"].startswith("stopped at epoch")]
    assert all(int(run.data.tags["searchspace.rung"]) >= 1 for run in stopped)
    inputs = {i.tags[0].value: i.dataset for i in client.get_run(parent.info.run_id).inputs.dataset_inputs}
    assert set(inputs) == {"training", "validation", "testing"}
    assert {dataset.digest for dataset in inputs.values()} == {known["data"]["fingerprint"]}
    assert parent.data.metrics["test_accuracy"] > 0.5
    champion = client.get_model_version_by_alias("searchspace-first", "champion")
    assert champion.run_id == parent.info.run_id
    mlflow.set_tracking_uri(f"sqlite:///{results / 'mlflow.db'}")
    kept = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "winner")}
    assert kept >= {"winner/README.md", "winner/metrics.json", "winner/model.json"}
    model = mlflow.pyfunc.load_model("models:/searchspace-first@champion")
    out = model.predict({"images": np.zeros((2, 3, 12, 12), np.uint8)})
    assert out["probabilities"].shape == (2, 3)


def test_uploading_again_makes_no_doubles(searched, cache, tmp_path):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{searched[0].parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("searchspace").experiment_id

    def everything():
        runs = client.search_runs([experiment], max_results=100)
        return sorted((r.info.run_id, len(client.get_metric_history(r.info.run_id, "score"))) for r in runs)

    before = everything()
    environment = os.environ | {"HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "searchspace.tracking", str(searched[0])],
        stdin=subprocess.DEVNULL,
        env=environment,
        check=True,
    )
    assert everything() == before
    assert len(client.search_model_versions("name = 'searchspace-first'")) == 1


def test_leaderboards_print_one_search_and_all(searched, cache, tmp_path):
    folder = searched[0]
    one = command(
        "leaderboard", str(folder), "--format", "json", "--top", "0", home=tmp_path, cache=cache, cwd=tmp_path
    )
    assert len(json.loads(one.stdout)) == 5
    every = command("leaderboard", str(folder.parent), home=tmp_path, cache=cache, cwd=tmp_path)
    assert "first" in every.stdout
    assert "5/5" in every.stdout
    wrong = command("leaderboard", str(folder), "--sort", "scores", home=tmp_path, cache=cache, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "no such column" in wrong.stderr


def test_a_search_is_never_overwritten(searched, cache, tmp_path):
    folder = searched[0]
    again = command("run", "--name", "first", "--results", str(folder.parent), home=tmp_path, cache=cache, cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_exporting_again_proves_again(searched, cache, tmp_path):
    done = command("export", str(searched[0]), "--formats", "onnx", home=tmp_path, cache=cache, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "proven on 27 test images; measured on " in done.stdout
    assert ": latency of one image on 1 thread, images/s on " in done.stdout
    assert "limits hold for the float32 ONNX file: " in done.stdout
    shipment = read_export_record(searched[0] / "winner")
    assert shipment.find("onnx").proof.agreement == 1.0
    assert shipment.cost.size_mb == (searched[0] / "winner" / "model.onnx").stat().st_size / 1e6
    assert shipment.cost.latency_ms > 0
    (row,) = rank_searches(searched[0].parent)
    assert row["latency_ms"] == pytest.approx(shipment.recommended_file.speed.latency_ms, rel=0.01)


def test_a_search_leaves_no_process_behind(searched):
    deadline = time.monotonic() + 20
    home = str(searched[0].parent.parent)
    while time.monotonic() < deadline:
        left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline", "environ"]) if _home(p) == home]
        if not left:
            return
        time.sleep(0.5)
    assert left == []


def _home(process: psutil.Process) -> str | None:
    """The home that a process lives in; whatever a search starts, Ray's daemons too, has the search's."""
    return (process.info["environ"] or {}).get("HOME")


WRONG = {
    "unknown data": (["--data", "digit"], ["/digit'", "did you mean 'digits'"]),
    "missing folder": (["--data", "/no/such/folder"], ["/no/such/folder", "digits, fashion-mnist"]),
    "unknown model": (["--models", "convnets"], ["'convnets'", "did you mean 'convnet'"]),
    "weights out of reach": (["--models", "resnet18.a1_in1k"], ["resnet18.a1_in1k", "neither cached nor downloadable"]),
    "unknown hyperparameter": (["--set", "learning_rate=0.1"], ["'learning_rate'", "weight_decay"]),
    "hyperparameter out of range": (["--set", "dropout=2"], ["dropout=2", "expected a number from 0 to 0.9"]),
    "no trials": (["--trials", "0"], ["--trials 0: expected a whole number from 1 to 1000000"]),
    "too many workers": (["--workers-per-trial", "4096"], ["--workers-per-trial 4096", "4096 CPUs, the cluster has"]),
    "no such GPUs": (["--gpus-per-worker", "64"], ["--gpus-per-worker 64", "64 GPUs, the cluster has"]),
    "wrong time": (["--time-budget", "soon"], ["'soon'", "2h"]),
    "no cluster there": (["--address", "127.0.0.1:1"], ["--address '127.0.0.1:1'", "no Ray cluster answers there"]),
    "limits that nothing meets": (["--max-params", "10"], ["no network of the space fits", "--max-params 10"]),
    "patience with nobody": (["--distil-epochs", "9"], ["--distil-epochs 9", "give --distil too"]),
    "a student of any size": (["--distil"], ["--distil: ", "--max-latency-ms, --max-params, --max-size-mb or --max-m"]),
    "a student that is nowhere": (
        ["--distil", "--max-params", "9"],
        ["no network of the space fits", "--max-params 9"],
    ),
    "an objective alone": (["--objectives", "latency"], ["--objectives 'latency'", "accuracy,latency"]),
    "unknown way with bad images": (["--on-bad-image", "ignore"], ["--on-bad-image 'ignore'", "not one of fail, skip"]),
    "unknown metric": (["--metric", "f2"], ["f2", "balanced_accuracy"]),
    "wrong name": (["--name", "a/b"], ["'a/b'"]),
    "no such space": (["--space", "mine.py:space"], ["mine.py:space", "FILE.py:FUNCTION"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_typed_wrongly_gets_one_line_and_exit_code_2(case, tmp_path, monkeypatch, capsys):
    arguments, parts = WRONG[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_command(main)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert all(part in line for part in parts), line
    assert not (tmp_path / "results").exists(), "nothing was begun"


def test_help_groups_the_options_and_shows_an_example(cache, tmp_path):
    done = command("run", "--help-all", home=tmp_path, cache=cache, cwd=tmp_path)
    for part in ("What to search", "How long", "Where it runs", "What is kept", "Example: searchspace run"):
        assert part in done.stdout
