"""PyTorch's own export: a `.pt2` file, which PyTorch runs without any code of the model's."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.export.formats.inference_network import InferenceClassifier
from trainables.export.formats.resize import Resize, SquareViews, StoredResize
from trainables.export.model_info import AnyModelInfo, describe_model, fits_of, native_shape, store_side
from trainables.models.classifier import AnyClassifier
from trainables.storage.files import replacing

METADATA_FILE = "metadata.json"
"""Extra file inside a `.pt2` that holds its metadata."""


class _WholeProgram(nn.Module):
    """Uint8 images of any size in; logits and probabilities out."""

    def __init__(self, resize: nn.Module, views: SquareViews, inference: InferenceClassifier) -> None:
        super().__init__()
        self.resize, self.views, self.inference = resize, views, inference

    def forward(self, images: Tensor) -> Any:
        stored = self.resize(images)
        return self.inference(*self.views(stored)) if self.views.fits else self.inference(stored)


def export_program(
    classifier: AnyClassifier, card: AnyModelInfo, path: Path, device: torch.device, dtype: torch.dtype = torch.float32
) -> None:
    """Write `path`: uint8 `images` (batch, 1 or 3, height, width) -> float32 logits, probabilities (batch, classes).

    It runs on `device`, and its networks compute in `dtype`.
    """
    fits, (channels, height, width) = fits_of(card), native_shape(card)
    resize = StoredResize(channels, store_side(card.data)) if fits else Resize(channels, height, width)
    whole = _WholeProgram(resize, SquareViews(fits), InferenceClassifier(classifier, dtype)).to(device).eval()
    example = torch.zeros(2, 3, height + 1, width + 2, dtype=torch.uint8, device=device)
    free = dict.fromkeys(range(4), torch.export.Dim.DYNAMIC)
    with torch.no_grad():
        program = torch.export.export(whole, (example,), dynamic_shapes={"images": free})
    with replacing(path) as file:
        torch.export.save(program, file, extra_files={METADATA_FILE: json.dumps(describe_model(card))})


def read_program_metadata(path: Path) -> dict[str, str]:
    """Metadata of a `.pt2` file."""
    extra = {METADATA_FILE: ""}
    torch.export.load(path, extra_files=extra)
    found: dict[str, str] = json.loads(extra[METADATA_FILE])
    return found
