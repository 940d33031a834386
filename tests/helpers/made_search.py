"""A finished search that nobody trained: made up, in no time, with everything in its folder that a report looks for."""

import shutil
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState
from PIL import Image

from searchspace.finals.comparison import Comparison
from searchspace.finals.finalist import Finalist
from searchspace.spec import SearchSpec, make_spec, save_record
from searchspace.study.study import create_study, flush_study, write_study_attribute
from searchspace.study.trial_attributes import record_config, record_cost, record_reason, record_report
from trainables.augmentation.corruptions import CORRUPTIONS
from trainables.config import EpochReport, TrialConfig, failure
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import open_store
from trainables.data.thumbnails import write_thumbnails
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.export.exported_files import EXPORT_RECORD, DroppedFormat, ExportedFile, ExportRecord, Parity, Speed
from trainables.export.predictor import Predictor
from trainables.export.robustness import MEASURED_STRENGTHS, CorruptionResult, Robustness, write_robustness
from trainables.metrics.class_metrics import measure_test_metrics
from trainables.metrics.predictions import PREDICTIONS, TEST_PERMIT, measure_brightness


def make_search(results: Path, data: DataSummary, trials: int = 24, finished: bool = True) -> Path:
    """Folder of a search of `trials` trials, one in three of them at full length, the last failed."""
    spec = make_spec(name="made", results=str(results), trials=max(1, trials), max_epochs=9, grace_epochs=1)
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {
        "command": "searchspace run --name made", "started": "2026-01-01T00:00:00+00:00",
        "data": data.model_dump(), "machine": {"cpu": "a CPU", "cores": 2}, "versions": {"optuna": "5.0.0"},
        "took": {"search": 50.0, "finals": 70.0, "total": 80.0},
    })  # fmt: skip
    study = create_study(spec, optuna.samplers.RandomSampler(seed=0))
    for number in range(trials):
        _add_trial(study, number, number == trials - 1)
    if finished:
        second = _finalist(3, 0.96).model_copy(update={"comparison": Comparison(difference=0.01, low=-0.01, high=0.03)})
        write_study_attribute(study, "finalists", [_finalist(0, 0.97).model_dump(), second.model_dump()])
        write_study_attribute(study, "baseline", {"trial": 3, "kind": "default", "reference": False, "majority": 0.1})
        _crown(spec, data)
    flush_study(study)
    return spec.folder


def make_exported_search(results: Path, data: DataSummary, exported: Path) -> Path:
    """Winner's folder of a made search whose winner is that of `exported`, tested as its ONNX file answers."""
    winner = make_search(results, data) / "winner"
    shutil.copytree(exported, winner, dirs_exist_ok=True)
    stored, labels = open_store(data).open_test_stored(winner / TEST_PERMIT)
    images = [stored.image(row) for row in range(len(stored))]
    found = Predictor(winner / "model.onnx").classify(images)
    np.savez_compressed(winner / PREDICTIONS, probabilities=found, labels=labels)
    write_thumbnails(winner, images, found, labels)
    (winner / "metrics.json").write_text(measure_test_metrics(found, labels, data.classes).model_dump_json())
    return winner


def _add_trial(study: optuna.Study, number: int, fails: bool) -> None:
    trial = study.ask()
    lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    config = TrialConfig(
        lr=lr, width=trial.suggest_categorical("width", [8, 16, 32]), dropout=trial.suggest_float("dropout", 0, 0.5),
        augment_strength=0.3,
    )  # fmt: skip
    record_config(trial, config, number)
    record_cost(trial, ArchitectureCost(parameters=10, size_mb=0.1, latency_ms=0.01 + lr, memory_mb=9.0, runs=9))
    length = 9 if number % 3 == 0 else 1 + 2 * (number % 2)
    score = 0.0
    for epoch in range(1, length + 1):
        score = 1 - 0.5 / epoch - abs(np.log10(lr) + 2) / 10
        status = "complete" if epoch == 9 else "running"
        report = EpochReport(
            trial="t",
            epoch=epoch,
            score=score,
            accuracy=score,
            status=status,
            seconds=0.001,
            slot=number % 2,
            train_loss=2 / epoch,
            val_loss=0.1 + 2 / epoch,
        )
        record_report(trial, epoch, report)
    if fails:
        record_report(trial, 10, failure("t", "diverged", length))
        record_reason(trial, "diverged")
        study.tell(trial, state=TrialState.FAIL)
    elif length == 9:
        study.tell(trial, score)
    else:
        record_reason(trial, f"held back at epoch {length}: rank 2 of 3, cut-off 0.9000")
        study.tell(trial, state=TrialState.PRUNED)


def _finalist(number: int, score: float) -> Finalist:
    return Finalist(
        members=(number,), search_score=0.98, full_length=True, scores=(score, score + 0.01), val_losses=(0.1, 0.1),
        lost=0, seconds=3.0,
    )  # fmt: skip


def _crown(spec: SearchSpec, data: DataSummary) -> None:
    """Write what the winner leaves; it is right on about 9 test images of 10."""
    winner = spec.folder / "winner"
    winner.mkdir()
    (winner / TEST_PERMIT).write_text("{}")
    store = open_store(data)
    stored, labels = store.open_test_stored(winner / TEST_PERMIT)
    images = [stored.image(row) for row in range(len(stored))]
    paths = store.open_test_origins(winner / TEST_PERMIT).paths
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(labels), len(data.classes))) + 4 * np.eye(len(data.classes))[labels]
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    brightness, contrast = np.concatenate([measure_brightness(image[None]) for image in images], axis=1)
    np.savez_compressed(
        winner / PREDICTIONS, probabilities=found.astype(np.float32), labels=labels, paths=np.array(paths),
        brightness=brightness, contrast=contrast, sizes=rng.integers(20, 99, (len(labels), 2)),
    )  # fmt: skip
    write_thumbnails(winner, images, found, labels)
    (winner / "metrics.json").write_text(measure_test_metrics(found, labels, data.classes).model_dump_json())
    cost = ArchitectureCost(parameters=50_546, size_mb=0.24, latency_ms=0.018, memory_mb=18.8, runs=2000)
    (winner / EXPORT_RECORD).write_text(made_shipment(cost).model_dump_json())
    write_robustness(winner, made_robustness())
    Image.new("RGBA", (71, 53), "grey").save(winner / "augmented.png")


def made_robustness() -> Robustness:
    """An ONNX file that loses five points with each strength."""
    worse = [
        CorruptionResult(corruption=name, strength=strength, parameter=strength / 10, accuracy=0.9 - strength / 20)
        for name in CORRUPTIONS
        for strength in MEASURED_STRENGTHS
    ]
    return Robustness(format="onnx", count=270, clean=0.9, corrupted=tuple(worse))


def made_shipment(cost: ArchitectureCost) -> ExportRecord:
    """PyTorch, its float32 ONNX file, which is twice as fast, and its INT8 one, four times; no `.pt2` file."""
    proof = Parity(
        count=270, largest_difference=1e-6, mean_difference=1e-7, largest_probability_difference=1e-7, agreement=1.0,
        accuracy=0.9, f1_macro=0.9,
    )  # fmt: skip
    files = (("pytorch", "model.safetensors", 1), ("onnx", "model.onnx", 2), ("onnx-int8", "model-int8.onnx", 4))
    artefacts = tuple(
        ExportedFile(
            format=name, file=file, size_mb=0.24 / max(1, rate - 1), proof=proof,
            speed=Speed(
                latency_ms=1 / rate, latency_p99_ms=2 / rate, runs=9, throughput={32: 1e3 * rate}, memory_mb=80
            ),
        )
        for name, file, rate in files
    )  # fmt: skip
    return ExportRecord(
        artefacts=artefacts, dropped=(DroppedFormat(format="pt2", reason="loses 1.00 points"),),
        recommended="onnx-int8", max_drop=0.3, cost=cost, machine="a made one", threads=2,
    )  # fmt: skip
