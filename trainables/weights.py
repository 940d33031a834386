"""The winner's weights on disk: safetensors, and JSON with all that rebuilds the classifier without a search.

An ensemble's folder has one folder a member, `members/0` and so on, each complete, and a card that joins their cards.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pydantic import Field, TypeAdapter
from safetensors.torch import load_file, save_file

from trainables.config import Assignment, Frozen, TrialConfig
from trainables.data.summary import DataSummary
from trainables.models.classifier import Classifier
from trainables.models.ensemble import AnyClassifier, Ensemble
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

    @property
    def facts(self) -> dict[str, str]:
        """What an exported file says of its network."""
        return {"config": self.config.model_dump_json(), "input": self.input.model_dump_json()}


class EnsembleCard(Frozen):
    """The cards of an ensemble's members, in their order."""

    members: tuple[ModelCard, ...] = Field(min_length=2)
    """Each member's card, all trained on the same data."""

    @property
    def data(self) -> DataSummary:
        """The data they were trained on."""
        return self.members[0].data

    @property
    def facts(self) -> dict[str, str]:
        """What an exported file says of its networks."""
        return {"members": json.dumps([member.model_dump(include={"config", "input"}) for member in self.members])}


AnyCard = ModelCard | EnsembleCard
CARDS: TypeAdapter[AnyCard] = TypeAdapter(AnyCard)


def write_weights(folder: Path, assignment: Assignment, run: "TrialRun") -> None:
    """Write the weights that evaluation uses, and their card, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(run.kept_state(), folder / WEIGHTS)
    card = ModelCard(
        config=assignment.config, seed=assignment.seed, epochs=assignment.max_epochs,
        data=run.place.store.summary, input=run.model.preprocess.spec,
    )  # fmt: skip
    (folder / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")


def member_folder(folder: Path, index: int) -> Path:
    """Where the ensemble in `folder` has its member of this index."""
    return folder / "members" / str(index)


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
