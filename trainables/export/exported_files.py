"""Record of the winner's exported files, with the measurements of each on the test images and on this machine."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainables.config import Finite, Frozen
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.storage.files import read_record

EXPORT_RECORD = "artefacts.json"
Format = Literal["pytorch", "pt2", "pt2-half", "onnx", "onnx-int8"]
"""`pytorch` is the classifier as it was trained (safetensors), run eagerly in float32: the reference of the others."""
FORMAT_FILES: dict[Format, str] = {
    "pytorch": "model.safetensors",
    "pt2": "model.pt2",
    "pt2-half": "model-half.pt2",
    "onnx": "model.onnx",
    "onnx-int8": "model-int8.onnx",
}
"""File of each format, in the winner's folder."""
EXPORT_FORMATS = tuple(FORMAT_FILES)[1:]
"""Formats to which a classifier is exported."""
ONNX_FORMATS: tuple[Format, ...] = ("onnx", "onnx-int8")
"""Formats that onnxruntime runs."""
Positive = Annotated[float, Field(gt=0)]
UnitInterval = Annotated[float, Field(ge=0, le=1)]
COMPARISON_BATCH = 32
"""Batch size at which the throughput of formats is compared."""


class Parity(Finite):
    """How close a file's logits are to PyTorch's in float32, and how accurate they are, on test images."""

    count: int
    """Test images compared."""
    largest_difference: float
    """Largest difference of a logit."""
    mean_difference: float
    """Mean difference of a logit."""
    largest_probability_difference: float
    """Largest difference of a probability."""
    agreement: UnitInterval
    """Share of images with the same likeliest class, from 0 to 1."""
    accuracy: UnitInterval
    """Share of images whose likeliest class is theirs, from 0 to 1."""
    f1_macro: UnitInterval
    """F1, mean over classes, from 0 to 1."""
    raw_count: int = 0
    """Raw test files whose pixels it answered to as PyTorch to their stored versions; 0 where none was checked."""
    raw_difference: float = 0.0
    """Largest difference of a probability on them."""


class Speed(Finite):
    """Cost of a file in a process that only runs it."""

    latency_ms: Positive
    """`LATENCY_DEFINITION`, in ms: one image, one thread."""
    latency_p99_ms: Positive
    """99th percentile of all those runs, in ms."""
    runs: int
    """Timed runs of one image."""
    throughput: dict[int, Positive]
    """Images a second on all cores, by batch size (32 and 256, unless that takes many seconds): median of some runs."""
    memory_mb: float
    """Peak resident memory of that process by the end of the runs of 32 images, in 10^6 bytes."""

    @property
    def rate(self) -> float:
        """Images a second at the batch size at which formats are compared."""
        return self.throughput[COMPARISON_BATCH]


class ExportedFile(Finite):
    """One file of the winner."""

    format: Format
    """Its format."""
    file: Literal["model.safetensors", "model.pt2", "model-half.pt2", "model.onnx", "model-int8.onnx"]
    """Its name in the winner's folder: the one that `FORMAT_FILES` has."""
    size_mb: Positive
    """Its size, in 10^6 bytes."""
    proof: Parity
    """On test images."""
    speed: Speed
    """On this machine."""
    note: str = ""
    """A remark, such as how many layers stayed in float32."""


class DroppedFormat(Frozen):
    """A format that is not exported: it could not be made, or failed its parity check and was deleted."""

    format: Format
    """The format."""
    reason: str
    """Why."""


class ExportRecord(Finite):
    """All exported files of one winner."""

    artefacts: tuple[ExportedFile, ...] = Field(min_length=1)
    """`pytorch` first, then what was exported."""
    dropped: tuple[DroppedFormat, ...]
    """Formats that could not be made or failed their parity check."""
    recommended: Format
    """The fastest exported format at batches of 32; `pytorch` if none passed its parity check."""
    max_drop: float
    """Points of test accuracy that an exported file may lose."""
    cost: ArchitectureCost | None
    """Cost of the float32 ONNX file, to which limits apply as to the search's architectures; None if it was dropped."""
    raw_note: str = ""
    """Raw test files that were not checked, by reason, or why none was."""
    unmeasured: str = ""
    """What was not measured, and why; empty where everything was."""
    machine: str
    """Processor that the speeds were measured on."""
    threads: int
    """Threads that throughputs were measured on."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Check that `pytorch` is the first file and that the recommended format is among the files."""
        if self.artefacts[0].format != "pytorch":
            raise ValueError("artefacts: the first is not pytorch")
        if self.find(self.recommended) is None:
            raise ValueError("recommended: is none of the artefacts")
        return self

    def find(self, wanted: Format) -> ExportedFile | None:
        """The file of that format, if it was exported."""
        return next((artefact for artefact in self.artefacts if artefact.format == wanted), None)

    @property
    def recommended_file(self) -> ExportedFile:
        """The file of the recommended format."""
        return next(artefact for artefact in self.artefacts if artefact.format == self.recommended)

    @property
    def fastest_onnx(self) -> ExportedFile | None:
        """The fastest file that onnxruntime runs; None if there is none."""
        ways = [artefact for artefact in self.artefacts if artefact.format in ONNX_FORMATS]
        return max(ways, key=lambda artefact: artefact.speed.rate, default=None)


def read_export_record(winner: Path) -> ExportRecord | None:
    """Record of the files exported into the folder `winner`; None without one. Raises `DamagedError`."""
    try:
        return read_record(winner / EXPORT_RECORD, ExportRecord)
    except FileNotFoundError:
        return None
