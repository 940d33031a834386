"""The winner's weights on disk: safetensors, and JSON with all that rebuilds the classifier without a search.

An ensemble's folder has one folder a member, `members/0` and so on, each complete, and a card that joins their cards.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from trainables.card import CARD, CARDS, AnyCard, EnsembleCard, ModelCard, member_folder
from trainables.config import Assignment
from trainables.deploy.describe import describe
from trainables.models.classifier import Classifier
from trainables.models.ensemble import AnyClassifier, Ensemble
from trainables.models.licences import licence_of
from trainables.models.registry import rebuild_model
from trainables.safetensors_file import write_safetensors

if TYPE_CHECKING:
    from trainables.train import TrialRun

WEIGHTS = "model.safetensors"


def write_weights(folder: Path, assignment: Assignment, run: "TrialRun") -> None:
    """Write the weights that evaluation uses, and their card, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    card = ModelCard(
        config=assignment.config, seed=assignment.seed, epochs=assignment.max_epochs,
        data=run.place.store.summary, input=run.model.preprocess.spec,
        licence=licence_of(assignment.config.model, run.place.store.summary.name),
    )  # fmt: skip
    write_safetensors(folder / WEIGHTS, run.kept_state(), describe(card))
    (folder / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")


def write_ensemble(folder: Path, count: int) -> None:
    """Join the `count` members in `folder` into one classifier: write its card, which makes it whole."""
    texts = [(member_folder(folder, index) / CARD).read_text(encoding="utf-8") for index in range(count)]
    card = EnsembleCard(members=tuple(ModelCard.model_validate_json(text) for text in texts))
    (folder / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")


def read_classifier(folder: Path, device: torch.device | None = None) -> tuple[AnyClassifier, AnyCard]:
    """Rebuild the classifier, or ensemble, in `folder`, in evaluation mode, and read its card."""
    card: AnyCard = CARDS.validate_json((folder / CARD).read_text(encoding="utf-8"))
    model = _join(folder, card) if isinstance(card, EnsembleCard) else _load(folder, card)
    return model.to(device or torch.device("cpu")).eval(), card


def _join(folder: Path, card: EnsembleCard) -> Ensemble:
    return Ensemble([_load(member_folder(folder, index), member) for index, member in enumerate(card.members)])


def _load(folder: Path, card: ModelCard) -> Classifier:
    model = rebuild_model(card.config, card.data, card.input)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model
