"""The winner's weights on disk: safetensors, and JSON with all that rebuilds the classifier without a search.

An ensemble's folder has one folder a member, `members/0` and so on, each complete, and a card that joins their cards.
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from trainables.common.errors import DamagedError, UserError
from trainables.custom.custom_code import is_custom
from trainables.custom.own_network import is_unknown
from trainables.data.decoding.decode import decode, decode_whole
from trainables.export.model_info import (
    MODEL_INFO,
    MODEL_INFO_ADAPTER,
    AnyModelInfo,
    EnsembleInfo,
    ModelInfo,
    member_folder,
    store_side,
)
from trainables.export.safetensors_file import read_safetensors, read_shapes
from trainables.models.build_model import rebuild_model
from trainables.models.classifier import AnyClassifier, Classifier, Ensemble, share_trunks
from trainables.models.tensor_shapes import shapes_of
from trainables.storage.files import read_record, write_file

WEIGHTS = "model.safetensors"


def write_ensemble(folder: Path, count: int, counts: tuple[int, ...] = ()) -> None:
    """Join the `count` members in `folder` into one classifier, by writing its record.

    `counts` says how often each member counts; empty: all alike.
    """
    cards = (read_record(member_folder(folder, index) / MODEL_INFO, ModelInfo) for index in range(count))
    card = EnsembleInfo(members=tuple(cards), counts=counts)
    write_file(folder / MODEL_INFO, card.model_dump_json(indent=1).encode())


def read_classifier(folder: Path, device: torch.device | None = None) -> tuple[AnyClassifier, AnyModelInfo]:
    """Rebuild the classifier or ensemble in `folder`, in evaluation mode; returns it and its record."""
    card: AnyModelInfo = read_record(folder / MODEL_INFO, MODEL_INFO_ADAPTER)
    model = _join(folder, card) if isinstance(card, EnsembleInfo) else _load(folder, card)
    return model.to(device or torch.device("cpu")).eval(), card


def load_image(file: Path, card: AnyModelInfo) -> torch.Tensor:
    """An image file as the classifier's data are stored, uint8 (1, c, h, w); raises what `decode` raises."""
    data = card.data
    if data.fit_matters:
        image = decode_whole(file, str(file), store_side(data), data.channels)
    else:
        image = decode(file, str(file), (data.height, data.width, data.channels))
    return torch.tensor(image).permute(2, 0, 1)[None]


def _join(folder: Path, card: EnsembleInfo) -> Ensemble:
    members = [_load(member_folder(folder, index), member) for index, member in enumerate(card.members)]
    share_trunks(members)
    return Ensemble(members, card.counts)


def _load(folder: Path, card: ModelInfo) -> Classifier:
    def build() -> Classifier:
        return rebuild_model(card.config, card.data, card.input)

    if is_unknown(card.config.model):
        raise UserError(
            f"{str(folder)!r}: is of {card.config.model!r}, a network of the user's own, whose code is not loaded "
            "here; run its ONNX file, which needs none, or export it with the search that it is of"
        )
    try:
        if is_custom(card.config.model):
            model = build()
            _check_shapes(folder, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
        else:
            _check_shapes(folder, shapes_of(build))  # before memory is allocated for a network that may be enormous
            model = build()
    except DamagedError:
        raise
    except Exception as error:  # libraries that build networks raise errors of many types
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DamagedError(folder / MODEL_INFO, f"is of no model that can be built ({said[:200]})") from error
    try:
        model.load_state_dict(read_safetensors(folder / WEIGHTS, _bytes_of(model)))
    except FileNotFoundError as error:
        raise DamagedError(folder / WEIGHTS, "is missing") from error
    except RuntimeError as error:  # other names or shapes
        said = " ".join(str(error).split())
        raise DamagedError(folder / WEIGHTS, f"does not fit the model of {MODEL_INFO} ({said[:200]})") from error
    return model


def _check_shapes(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `DamagedError` where the weights in `folder` are missing, or have other shapes than the record's model."""
    try:
        found = read_shapes(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise DamagedError(folder / WEIGHTS, "is missing") from error
    wrong = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if wrong:
        shape, right = (shapes.get(wrong[0], "none") for shapes in (found, expected))
        said = f"{len(wrong):,} tensors differ, first {wrong[0][:100]}: found {shape}, expected {right}"
        raise DamagedError(folder / WEIGHTS, f"does not fit the model of {MODEL_INFO} ({said[:200]})")


def _bytes_of(model: Classifier) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
