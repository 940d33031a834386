"""Record of a trained classifier without its weights, `model.json`; reading it needs no torch."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from trainables.common.environment import versions_of
from trainables.common.licence import Licence, binding
from trainables.config import Finite, Frozen, TrialConfig
from trainables.data.decoding.stored_size import STORED_SIDE
from trainables.data.loading.square_fit import FitKind, SquareFit
from trainables.data.store.data_summary import DataSummary

MODEL_INFO = "model.json"


class InputSpec(Finite):
    """Input of a network."""

    side: int
    """Side of the square input, in pixels."""
    channels: int
    """1 or 3; grey images are repeated where the network wants 3."""
    mean: tuple[float, ...]
    """Subtracted from each channel, on a scale from 0 to 1."""
    std: tuple[float, ...]
    """Divides each channel."""
    crop: float = 1.0
    """Share of the stored side that the centre crop keeps, if that is still at least `side` pixels."""
    interpolation: str = "bicubic"
    """`bicubic` or `bilinear`, antialiased, for images of one shape."""
    fit: FitKind | Literal[""] = ""
    """How images of all shapes become the square; empty: they are stored in one shape, which is resized to it."""
    fill: tuple[int, ...] = ()
    """Colour around a padded image, from 0 to 255 in each channel of the data; empty where nothing is padded."""

    @property
    def square_fit(self) -> SquareFit | None:
        """How images of all shapes become the square; None where they are stored in one shape."""
        return SquareFit(self.fit, self.side, self.crop, self.fill) if self.fit else None

    @property
    def pixels(self) -> int:
        """Numbers in one input image."""
        return self.channels * self.side**2


def distinct_fits(specs: Iterable[InputSpec]) -> tuple[SquareFit, ...]:
    """Ways in which images become squares under `specs`, each once; none where they are stored in one shape."""
    return tuple(dict.fromkeys(fit for spec in specs if (fit := spec.square_fit)))


class ModelInfo(Frozen):
    """Record of the classifier whose weights are in `model.safetensors`."""

    config: TrialConfig
    """The configuration that was trained."""
    seed: int
    """Seed of its training."""
    epochs: int
    """Epochs it was trained."""
    data: DataSummary
    """The data it was trained on."""
    input: InputSpec
    """What the network expects of its input."""
    licence: Licence = Licence()
    """Of its weights."""

    @property
    def members(self) -> "tuple[ModelInfo, ...]":
        """Itself, as its only member."""
        return (self,)

    @property
    def network_metadata(self) -> dict[str, str]:
        """Metadata of an exported file about its network."""
        return {"config": self.config.model_dump_json(), "input": self.input.model_dump_json()}


class EnsembleInfo(Frozen):
    """Records of an ensemble's members, in their order."""

    members: tuple[ModelInfo, ...] = Field(min_length=2)
    """Each member's record; all were trained on the same data."""
    counts: tuple[int, ...] = ()
    """How often each member counts in the mean of their probabilities; empty: all alike."""

    @model_validator(mode="after")
    def _counted(self) -> Self:
        """Check that there is a count for each member, or none."""
        if self.counts and (len(self.counts) != len(self.members) or min(self.counts) < 1):
            raise ValueError("counts: not one of at least 1 for each member")
        return self

    @property
    def data(self) -> DataSummary:
        """The data they were trained on."""
        return self.members[0].data

    @property
    def network_metadata(self) -> dict[str, str]:
        """Metadata of an exported file about its networks."""
        members = [member.model_dump(include={"config", "input"}) for member in self.members]
        counts = {"counts": json.dumps(self.counts)} if self.counts else {}
        return {"members": json.dumps(members), **counts}


AnyModelInfo = ModelInfo | EnsembleInfo
MODEL_INFO_ADAPTER: TypeAdapter[AnyModelInfo] = TypeAdapter(AnyModelInfo)


def member_folder(folder: Path, index: int) -> Path:
    """Folder of the member of this index of the ensemble in `folder`."""
    return folder / "members" / str(index)


def fits_of(card: AnyModelInfo) -> tuple[SquareFit, ...]:
    """Ways in which the classifier's images become squares; none where they are stored in one shape."""
    return distinct_fits(member.input for member in card.members)


def store_side(data: DataSummary) -> int:
    """Shorter side of images that are stored whole, in pixels, at most."""
    return data.options.store_side or STORED_SIDE


def native_shape(card: AnyModelInfo) -> tuple[int, int, int]:
    """Channels, height and width of images that the exported file takes with the least resizing."""
    data, fits = card.data, fits_of(card)
    if not fits:
        return data.channels, data.height, data.width
    side = fits[0].side if len(fits) == 1 else store_side(data)
    return data.channels, side, side


RECORDED_PACKAGES = ("searchspace", "torch", "torchvision", "timm", "onnx", "onnxruntime")


def describe_pixels(data: DataSummary) -> str:
    """Range of pixel values, and how the published data's pixels were converted to it."""
    from trainables.data.sources.source_registry import pixels_of_data

    return "; ".join(filter(None, ("uint8, 0 (black) to 255 (white)", pixels_of_data(data.origin))))


def describe_model(card: AnyModelInfo) -> dict[str, str]:
    """Classes, shape, pixels and normalisation, configuration, licence, data and versions, as texts; lists are JSON."""
    data = card.data
    licences = [member.licence for member in card.members]
    fits = [asdict(fit) for fit in fits_of(card)]
    return {
        "classes": json.dumps(data.classes),
        "shape": json.dumps(native_shape(card)),
        **({"store_side": json.dumps(store_side(data)), "fits": json.dumps(fits)} if fits else {}),
        "pixels": describe_pixels(data),
        **card.network_metadata,
        "license": ", ".join(binding(licences)),
        "license_terms": "; ".join(dict.fromkeys(licence.terms for licence in licences)),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "versions": json.dumps(versions_of(RECORDED_PACKAGES)),
    }
