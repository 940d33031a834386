"""What is shipped: the winner's files, and what was measured of each on the test images and on this machine."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainables.config import Finite, Frozen
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.storage.files import read_record

EXPORT_RECORD = "artefacts.json"
Format = Literal["pytorch", "pt2", "pt2-half", "onnx", "onnx-int8"]
"""`pytorch` is the classifier as it was trained (safetensors), run eagerly in float32: what the others stand beside."""
FORMAT_FILES: dict[Format, str] = {
    "pytorch": "model.safetensors",
    "pt2": "model.pt2",
    "pt2-half": "model-half.pt2",
    "onnx": "model.onnx",
    "onnx-int8": "model-int8.onnx",
}
"""File of each format, in the winner's folder."""
EXPORT_FORMATS = tuple(FORMAT_FILES)[1:]
"""Formats that a classifier is exported to."""
ONNX_FORMATS: tuple[Format, ...] = ("onnx", "onnx-int8")
"""Formats that onnxruntime runs."""
Positive = Annotated[float, Field(gt=0)]
UnitInterval = Annotated[float, Field(ge=0, le=1)]
COMPARISON_BATCH = 32
"""Batch size whose throughput formats are compared by."""


class Parity(Finite):
    """How close a file's answers are to PyTorch's in float32, and how good they are, on test images."""

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


class Speed(Finite):
    """What a file costs in a process that does nothing but run it."""

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
        """Images a second that formats are compared by."""
        return self.throughput[COMPARISON_BATCH]


class ExportedFile(Finite):
    """One file of the winner."""

    format: Format
    """What it is."""
    file: Literal["model.safetensors", "model.pt2", "model-half.pt2", "model.onnx", "model-int8.onnx"]
    """Its name in the winner's folder: the one that `FORMAT_FILES` has."""
    size_mb: Positive
    """Its size, in 10^6 bytes."""
    proof: Parity
    """On test images."""
    speed: Speed
    """On this machine."""
    note: str = ""
    """What else is to be known of it, such as layers that were left in float32."""


class DroppedFormat(Frozen):
    """A format that is not shipped: it could not be made, or failed its proof and was deleted."""

    format: Format
    """What it was."""
    reason: str
    """Why."""


class ExportRecord(Finite):
    """All that is shipped of one winner."""

    artefacts: tuple[ExportedFile, ...] = Field(min_length=1)
    """`pytorch` first, then what was exported."""
    dropped: tuple[DroppedFormat, ...]
    """What failed its proof."""
    recommended: Format
    """The fastest exported one at batches of 32; `pytorch` if none passed its proof."""
    max_drop: float
    """Points of test accuracy that an exported file may lose."""
    cost: ArchitectureCost | None
    """What limits are held against: the float32 ONNX file, as the search's architectures; None if it was dropped."""
    machine: str
    """Processor that the speeds were measured on."""
    threads: int
    """Threads that throughputs were measured on."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """`pytorch` is there, and what is recommended."""
        if self.artefacts[0].format != "pytorch":
            raise ValueError("artefacts: the first is not pytorch")
        if self.find(self.recommended) is None:
            raise ValueError("recommended: is none of the artefacts")
        return self

    def find(self, wanted: Format) -> ExportedFile | None:
        """The artefact of that format, if it is shipped."""
        return next((artefact for artefact in self.artefacts if artefact.format == wanted), None)

    @property
    def recommended_file(self) -> ExportedFile:
        """The recommended one."""
        return next(artefact for artefact in self.artefacts if artefact.format == self.recommended)

    @property
    def fastest_onnx(self) -> ExportedFile | None:
        """The fastest of those that onnxruntime runs; None if none passed its proof."""
        ways = [artefact for artefact in self.artefacts if artefact.format in ONNX_FORMATS]
        return max(ways, key=lambda artefact: artefact.speed.rate, default=None)


def read_export_record(winner: Path) -> ExportRecord | None:
    """What is shipped from the folder `winner`; None where nothing is. Raises `DamagedError`."""
    try:
        return read_record(winner / EXPORT_RECORD, ExportRecord)
    except FileNotFoundError:
        return None
