"""The winner's weights on disk: safetensors, and JSON with all that rebuilds the classifier without a search."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from trainables.config import Assignment, Frozen, TrialConfig
from trainables.data.summary import DataSummary
from trainables.models.classifier import Classifier
from trainables.models.preprocess import InputSpec
from trainables.models.registry import rebuild_model

if TYPE_CHECKING:
    from trainables.train import TrialRun

WEIGHTS = "model.safetensors"
CARD = "model.json"


class ModelCard(Frozen):
    """What `model.safetensors` holds the weights of."""

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


def write_weights(folder: Path, assignment: Assignment, run: "TrialRun") -> None:
    """Write the weights that evaluation uses, and their card, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(run.kept_state(), folder / WEIGHTS)
    card = ModelCard(
        config=assignment.config, seed=assignment.seed, epochs=assignment.max_epochs,
        data=run.place.store.summary, input=run.model.preprocess.spec,
    )  # fmt: skip
    (folder / CARD).write_text(card.model_dump_json(indent=1))


def read_classifier(folder: Path, device: torch.device | None = None) -> tuple[Classifier, ModelCard]:
    """Rebuild the classifier in `folder`, in evaluation mode, and read its card."""
    card = ModelCard.model_validate_json((folder / CARD).read_text())
    model = rebuild_model(card.config, card.data, card.input)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.to(device or torch.device("cpu")).eval(), card
