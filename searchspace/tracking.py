"""MLflow tracking, in a process of its own that replays the study: no trial ever waits for a tracker.

A parent run a search, a child a trial, the winner registered with the alias `champion`. Replaying again, or late,
makes no doubles: runs are found again by their tags, and only what they lack is logged.
"""

import json
import os
import select
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.recorded import config_of, curve_of
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.study import STORAGE, load_study, whole_url
from trainables.ownership import keep_to_owner
from trainables.redaction import RedactedStream

PERIOD = 5.0
"""Seconds between two looks at the study."""
PATIENCE = 120.0
"""Seconds that a finished search waits for the last upload."""
LOG = "mlflow.log"
CURVES = ("accuracy", "val_loss", "train_loss", "seconds", "images_per_second")


def tracking_uri(spec: SearchSpec) -> str:
    """`$MLFLOW_TRACKING_URI`, or a SQLite file beside the searches."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path(spec.results).resolve() / 'mlflow.db'}"


@contextmanager
def tracked(spec: SearchSpec, say: Any) -> Iterator[None]:
    """Upload to MLflow while the block runs, and wait a while for the rest at its end; a failure is a warning."""
    with (spec.folder / LOG).open("w") as log:
        command = [sys.executable, "-m", "searchspace.tracking", str(spec.folder)]
        environment = os.environ | ({STORAGE: whole_url(spec.storage)} if spec.storage else {})
        uploader = subprocess.Popen(  # noqa: S603  # this program
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        yield
    finally:
        if uploader.stdin is not None:
            uploader.stdin.close()  # its word to upload what is left and end
    try:
        if uploader.wait(timeout=PATIENCE) != 0:
            say(f"warning: MLflow has not got everything; see {spec.folder / LOG}")
    except subprocess.TimeoutExpired:
        uploader.kill()
        say(
            f"warning: MLflow is too slow, gave up after {PATIENCE:.0f} s; python -m searchspace.tracking {spec.folder}"
        )


class Uploader:
    """Brings one search's MLflow runs up to date with its study."""

    def __init__(self, spec: SearchSpec, folder: Path) -> None:
        """Find or make the experiment and the parent run."""
        import mlflow
        from mlflow.tracking import MlflowClient

        self.spec, self.folder = spec, folder
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else self._artifacts()
        mlflow.set_tracking_uri(tracking_uri(spec))  # which sets that variable, too
        self.client = MlflowClient()
        found = self.client.get_experiment_by_name("searchspace")
        self.experiment = found.experiment_id if found else self.client.create_experiment("searchspace", artifacts)
        # Two searches of one name may meet on a shared server; they began at different times.
        self.identity = {"searchspace.search": spec.name, "searchspace.started": load_facts(folder)["started"]}
        self.parent = self._run(spec.name, self.identity | {"searchspace.role": "search"}, None)
        self.done: set[int] = set()

    def _artifacts(self) -> str:
        return (Path(self.spec.results).resolve() / "mlartifacts").as_uri()

    def _run(self, name: str, tags: dict[str, str], parent: str | None) -> str:
        """Id of the run with these tags, made if it is missing."""
        import mlflow.entities
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = self.client.search_runs([self.experiment], wanted, mlflow.entities.ViewType.ACTIVE_ONLY, max_results=1)
        if found:
            return str(found[0].info.run_id)
        relation = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        run = self.client.create_run(self.experiment, tags={**tags, **relation, MLFLOW_RUN_NAME: name})
        return str(run.info.run_id)

    def replay(self, study: optuna.Study) -> None:
        """Log what has come since the last look."""
        for trial in study.get_trials(deepcopy=False):
            if trial.number not in self.done and "config" in trial.user_attrs:
                self._replay_trial(trial)

    def _replay_trial(self, trial: FrozenTrial) -> None:
        from mlflow.entities import Metric, Param

        tags = self.identity | {"searchspace.role": "trial", "searchspace.trial": str(trial.number)}
        run = self._run(f"trial-{trial.number}", tags, self.parent)
        scores = self.client.get_metric_history(run, "score")
        logged = {metric.step for metric in scores}
        stamp = int((trial.datetime_start.timestamp() if trial.datetime_start else 0) * 1000)
        metrics = [Metric("score", v, stamp, e) for e, v in trial.intermediate_values.items() if e not in logged]
        over = trial.state not in {TrialState.RUNNING, TrialState.WAITING}
        if over and not self.client.get_metric_history(run, "train_loss"):
            curve = [report for report in curve_of(trial) if report.status != "failed"]
            metrics += [Metric(n, getattr(r, n), stamp, r.epoch) for r in curve for n in CURVES]
        params = [] if scores else [Param(k, str(v)) for k, v in config_of(trial).model_dump().items()]
        for start in range(0, max(1, len(metrics)), 1000):
            self.client.log_batch(run, metrics=metrics[start : start + 1000], params=params if not start else [])
        if over:
            self.client.set_tag(run, "searchspace.state", trial.state.name)
            self.client.set_tag(run, "searchspace.reason", trial.user_attrs.get("reason", ""))
            failed = trial.state == TrialState.FAIL
            self.client.set_terminated(run, "FAILED" if failed else "FINISHED")
            self.done.add(trial.number)

    def finish(self) -> None:
        """Log the search's options and the winner; register the model with the alias `champion`."""
        from mlflow.entities import Metric, Param

        if self.client.get_run(self.parent).data.tags.get("searchspace.finished"):
            return
        options = {key: str(value) for key, value in self.spec.model_dump().items()}
        self.client.log_batch(self.parent, params=[Param(key, value) for key, value in options.items()])
        self.client.log_artifact(self.parent, str(self.folder / "search.json"))
        winner = self.folder / "winner"
        if (winner / "metrics.json").is_file():
            found = json.loads((winner / "metrics.json").read_text())
            metrics = [Metric(f"test_{k}", v, 0, 0) for k, v in found.items() if isinstance(v, int | float)]
            self.client.log_batch(self.parent, metrics=metrics)
            for name in ("README.md", "metrics.json", "confusion.csv", "confusion.png", "parity.json", "model.json"):
                if (winner / name).is_file():
                    self.client.log_artifact(self.parent, str(winner / name), "winner")
        if not (winner / "model.onnx").is_file():
            self.client.set_terminated(self.parent, "KILLED")
            return
        self._register(winner / "model.onnx")
        self.client.set_tag(self.parent, "searchspace.finished", "yes")
        self.client.set_terminated(self.parent, "FINISHED")

    def _register(self, path: Path) -> None:
        import mlflow
        import mlflow.onnx
        import numpy as np
        import onnx
        from mlflow.models.signature import ModelSignature
        from mlflow.types import Schema, TensorSpec

        model = onnx.load(str(path))
        shape = [d.dim_value or -1 for d in model.graph.input[0].type.tensor_type.shape.dim]
        classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), shape, "images")]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), [-1, classes], "probabilities")]),
        )
        name = f"searchspace-{self.spec.name}"
        with mlflow.start_run(run_id=self.parent):
            mlflow.onnx.log_model(
                model, name="winner", signature=signature, registered_model_name=name,
                input_example={"images": np.zeros([1, *shape[1:]], np.uint8)},
            )  # fmt: skip
        newest = max(int(v.version) for v in self.client.search_model_versions(f"name = '{name}'"))
        self.client.set_registered_model_alias(name, "champion", str(newest))


def upload(folder: Path) -> None:
    """Replay the search in `folder` until standard input closes, then once more, and finish."""
    os.nice(19)  # whatever a search leaves over
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds
    spec = load_spec(folder)
    uploader: Uploader | None = None
    ended = False
    while True:
        try:
            study = load_study(spec, folder)
            if ended or any(trial.state.is_finished() for trial in study.get_trials(deepcopy=False)):
                # MLflow itself is loaded no sooner: while gangs start, every core is theirs.
                uploader = uploader or Uploader(spec, folder)
                uploader.replay(study)
            if ended and uploader:
                uploader.finish()
        except Exception:  # a tracker may fail in any way; the next look tries again
            if ended:
                raise
            traceback.print_exc()
        if ended:
            return
        ended = bool(select.select([sys.stdin], [], [], PERIOD)[0])


if __name__ == "__main__":
    keep_to_owner()
    sys.stdout = sys.stderr = RedactedStream(sys.stderr)  # MLflow's messages quote the server's whole URL
    upload(Path(sys.argv[1]))
