"""Measures what untrained networks would cost where they are shipped: builds, exports and runs each.

`python -m trainables.export.benchmark.architecture_benchmark` is a process that `BenchmarkClient` keeps. A line
of JSON in is an architecture, a line of JSON out is its cost, or the reason why it has none. The process exists so that
its client need not import torch.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainables.common.environment import core_count
from trainables.custom.custom_code import CustomCode, is_custom
from trainables.custom.register import register, registered_code
from trainables.data.data_options import DataOptions
from trainables.data.store.data_summary import DataSummary
from trainables.export.benchmark.architecture_cost import Architecture, ArchitectureCost, BenchmarkError, CostKind
from trainables.export.exported_files import Speed
from trainables.export.formats.onnx_format import export_onnx
from trainables.export.model_info import ModelInfo, native_shape
from trainables.models.build_model import build_untrained
from trainables.models.classifier import Classifier


def measure_architecture(architecture: Architecture, kind: CostKind) -> ArchitectureCost:
    """Cost of the untrained network of `architecture`; raises the errors of its construction, export or run."""
    data = _placeholder_data(architecture)
    if kind == "count":
        on_meta = nullcontext() if is_custom(architecture.config.model) else torch.device("meta")
        with on_meta:  # shapes without numbers: nothing is drawn and nothing takes memory
            return ArchitectureCost(parameters=count_parameters(build_untrained(architecture.config, data)))
    model = build_untrained(architecture.config, data).eval()
    perturb_weights(model)
    card = ModelInfo(config=architecture.config, seed=0, epochs=0, data=data, input=model.preprocess.spec)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder).resolve() / "model.onnx"
        export_onnx(model, card, file)
        return measure_file(file, native_shape(card), count_parameters(model))


def measure_file(file: Path, shape: tuple[int, int, int], parameters: int) -> ArchitectureCost:
    """Cost of an ONNX file for images of `shape` (c, h, w); raises `BenchmarkError` where the file does not run."""
    found = _run_benchmark_process("limits", file, shape)
    costs = {name: found[name] for name in ("latency_ms", "memory_mb", "runs")}
    return ArchitectureCost(parameters=parameters, size_mb=file.stat().st_size / 1e6, **costs)


def measure_speed(file: Path, shape: tuple[int, int, int], batch_runs: int = 3) -> Speed:
    """Speed of a file, or of the classifier in a folder, for images of `shape` (c, h, w); raises `BenchmarkError`.

    Each batch is timed `batch_runs` times, or as often as fits a fraction of a second.
    """
    return Speed.model_validate(_run_benchmark_process("speed", file, shape, str(core_count()), str(batch_runs)))


def _run_benchmark_process(mode: str, file: Path, shape: tuple[int, int, int], *rest: str) -> dict[str, Any]:
    module = "trainables.export.benchmark.benchmark_process"
    command = [sys.executable, "-m", module, mode, str(file), json.dumps(shape), *rest]
    done = subprocess.run(  # noqa: S603  # this program
        command, input=registered_code().model_dump_json(), capture_output=True, text=True, check=False,
        start_new_session=True,  # a signal of the terminal must not end a measurement
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BenchmarkError(f"the exported network does not run: {last}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def count_parameters(model: nn.Module) -> int:
    """Numbers in its weights, trained or frozen, as an `EpochReport` counts them."""
    return sum(p.numel() for p in model.parameters())


def _placeholder_data(architecture: Architecture) -> DataSummary:
    """Data of the architecture's shape; other properties of data do not change the network."""
    return DataSummary(
        name="measured", path="", origin="", classes=tuple(f"class {i}" for i in range(architecture.classes)),
        channels=architecture.channels, height=architecture.height, width=architecture.width,
        aspect_kept=architecture.aspect_kept, options=DataOptions(store_side=architecture.store_side),
        train=1, val=1, test=1,
        mean=(0.5,) * architecture.channels, std=(0.25,) * architecture.channels, split="", split_seed=0, leaked=0,
        fingerprint="",
    )  # fmt: skip


@torch.no_grad()
def perturb_weights(model: Classifier) -> None:
    """Make all tensors differ, as training does: an exporter stores equal ones once and removes zeros and ones."""
    torch.manual_seed(0)
    for tensor in model.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor), alpha=0.01)  # upwards, so that no variance falls below 0


def root_cause(error: BaseException) -> str:
    """First line of the first error in a chain; exporters wrap it in long ones."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main() -> None:
    """Answer each line of standard input until its end."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with answers
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "code" in question:
                register(CustomCode.model_validate(question["code"]))
            cost = measure_architecture(Architecture.model_validate(question["architecture"]), question["kind"])
            answer: dict[str, Any] = {"cost": cost.model_dump()}
        except Exception as error:  # any network may fail in any way, and the next one be well
            answer = {"reason": root_cause(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
