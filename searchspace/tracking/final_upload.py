"""The end of a search in MLflow: its options, data and results, and the winner, registered once."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspace.storage.search_folder import LEADERBOARD, SEARCH_RECORD, STUDENT, WINNER, earlier_winners
from trainables.export.exported_files import read_export_record
from trainables.export.predictor import IMAGES, LOGITS, MAX_ONNX_BYTES, PROBABILITIES
from trainables.metrics.class_metrics import TestMetrics
from trainables.storage.files import is_file, read_file, read_record

if TYPE_CHECKING:
    from searchspace.tracking.runs import RunUploader

UPLOADED_FILES = (
    "README.md", "metrics.json", "confusion.csv", "confusion.png", "artefacts.json", "robustness.json", "model.json",
    "student.json",
)  # fmt: skip
"""Files in the winner's folder, and its student's, that are artifacts; the winner's model is registered."""
SPLIT_CONTEXTS = {"train": "training", "val": "validation", "test": "testing"}
"""MLflow's word for what each split was used for."""
SIGNATURE_METADATA = ("classes", "shape")
"""Entries of the file's metadata that the signature is made of, and that clients of an MLflow server need."""
RUNTIME_PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime")
"""Packages that run it; MLflow would find them out by running it, in some ten seconds."""
ALIAS = "champion"


def upload_results(uploader: "RunUploader") -> None:
    """Log the search's options, data and winner; register the model with the alias `champion`.

    A search that was cut off is marked as killed, and may be finished by another upload.
    """
    from mlflow.entities import Param

    client, parent = uploader.client, uploader.parent
    known, stage = client.get_run(parent).data, f"{uploader.spec.trials} trials"
    if known.tags.get("searchspace.finished") == stage:
        return
    options = uploader.spec.model_dump().items()
    # What a search that was extended began with stays: a parameter of MLflow has one value for good.
    client.log_batch(parent, params=[Param(key, str(value)) for key, value in options if key not in known.params])
    _log_data(uploader)
    for name in (SEARCH_RECORD, LEADERBOARD, "report.html"):
        if is_file(uploader.folder / name):
            client.log_artifact(parent, str(uploader.folder / name))
    winner = uploader.folder / WINNER
    _log_tested(uploader, winner, "test")
    _log_tested(uploader, uploader.folder / STUDENT, "student_test")
    shipment = read_export_record(winner)
    if shipment is None:
        client.set_terminated(parent, "KILLED")
        return
    if shipment.fastest_onnx:
        _register(uploader, winner / shipment.fastest_onnx.file)
    client.set_tag(parent, "searchspace.finished", stage)
    client.set_terminated(parent, "FINISHED")


def _log_data(uploader: "RunUploader") -> None:
    """The data's splits as inputs of the run, each under the fingerprint of all."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    data = uploader.facts.get("data")
    if not data:
        return
    source = CodeDatasetSource({"mlflow.source.name": f"searchspace --data {uploader.spec.data}"})
    with mlflow.start_run(run_id=uploader.parent):
        for split, context in SPLIT_CONTEXTS.items():
            name = f"{data['name']}: {data[split]} {split} images"
            made: Any = MetaDataset  # which leaves an abstract property open that nothing checks
            mlflow.log_input(made(source, name=name, digest=data["fingerprint"]), context=context)


def _log_tested(uploader: "RunUploader", folder: Path, prefix: str) -> None:
    """Metrics, each under a name that begins so, and files of what was tested in `folder`, if anything was."""
    from mlflow.entities import Metric

    if not is_file(folder / "metrics.json"):
        return
    figures = read_record(folder / "metrics.json", TestMetrics).figures
    metrics = [Metric(f"{prefix}_{name}", value, 0, 0) for name, value in figures.items()]
    uploader.client.log_batch(uploader.parent, metrics=metrics)
    for name in UPLOADED_FILES:
        if is_file(folder / name):
            uploader.client.log_artifact(uploader.parent, str(folder / name), folder.name)


def _register(uploader: "RunUploader", path: Path) -> None:
    """Register the winner as champion, with signature and input example, unless an earlier upload came as far."""
    import mlflow
    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    name = f"searchspace-{uploader.spec.name}"
    if len(_versions(uploader, name)) <= len(earlier_winners(uploader.folder)):
        model = onnx.load_model_from_string(read_file(path, MAX_ONNX_BYTES))
        facts = {
            entry.key: json.loads(entry.value) for entry in model.metadata_props if entry.key in SIGNATURE_METADATA
        }
        given: list[Any] = [TensorSpec(np.dtype(np.uint8), [-1, -1, -1, -1], IMAGES)]
        width = len(facts["classes"])
        answers: list[Any] = [TensorSpec(np.dtype(np.float32), [-1, width], of) for of in (LOGITS, PROBABILITIES)]
        signature = ModelSignature(inputs=Schema(given), outputs=Schema(answers))
        with mlflow.start_run(run_id=uploader.parent):
            mlflow.onnx.log_model(
                model, name="winner", signature=signature, registered_model_name=name,
                input_example={IMAGES: np.zeros([1, *facts["shape"]], np.uint8)}, metadata=facts,
                pip_requirements=[f"{package}=={version(package)}" for package in RUNTIME_PACKAGES],
                onnx_execution_providers=["CPUExecutionProvider"], save_as_external_data=False,
            )  # fmt: skip
    uploader.client.set_registered_model_alias(name, ALIAS, str(max(_versions(uploader, name))))


def _versions(uploader: "RunUploader", name: str) -> list[int]:
    """Versions of the model that this search has registered."""
    found = uploader.client.search_model_versions(f"name = '{name}'")
    return [int(one.version) for one in found if one.run_id == uploader.parent]
