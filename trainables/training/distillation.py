"""Distillation: a student learns its teacher's answers instead of labels, on the very views that it is shown itself.

Both see one augmentation and one mixture of an image (arXiv:2106.05237: a consistent teacher), each as large and
normalised as its own network wants it: every random number of a view is in the epoch's plan, so it can be made again.
The loss is that of arXiv:1503.02531.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.augmentation.augmentation_registry import DRAW_COLUMNS
from trainables.data.loading.epoch_plan import PlannedBatch
from trainables.data.loading.input_loader import Rows
from trainables.data.loading.square_fit import SquareFit
from trainables.export.weights import read_classifier
from trainables.models.classifier import Classifier, mean_probability_logits
from trainables.training.batches import CROP_COLUMNS, TrainingBatches
from trainables.training.evaluation import forward
from trainables.workers.worker_context import WorkerContext

TEMPERATURE = 1.0
"""Divides the logits of both; a higher one gives small probabilities more weight."""


def divergence(logits: Tensor, answers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """How far a student's softened probabilities are from its teacher's, in nats, for each of b images.

    Both are logits (b, classes). The temperature's square keeps gradients as large as those at a temperature of 1.
    """
    student = (logits.float() / temperature).log_softmax(dim=1)
    teacher = (answers.float() / temperature).log_softmax(dim=1)
    return functional.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1) * temperature**2


class Teacher:
    """A trained classifier that answers for what one student is shown: each worker's own, for its own share."""

    def __init__(self, folder: Path, context: WorkerContext, batches: TrainingBatches) -> None:
        """Read the classifier, or ensemble, in `folder`, for the student that `batches` are made for.

        Raises `ValueError` if its classes are not those of the data.
        """
        device = context.group.device
        with torch.random.fork_rng(devices=[]):  # rebuilding it draws weights, and the student's draws must not move
            self._classifier, card = read_classifier(folder, device)
        if card.data.classes != context.store.summary.classes:
            raise ValueError(f"the teacher in {str(folder)!r} has other classes than {card.data.name}")
        self._classifier.requires_grad_(False).to(memory_format=torch.channels_last)
        self._members = [module for module in self._classifier.modules() if isinstance(module, Classifier)]
        fits = self._classifier.fits
        self._images = [context.squares.load(fit) for fit in fits] or [context.images_of_one_shape]
        self._batches = batches
        # Views that come again, epoch for epoch, are answered once, if there is room to remember that.
        views, classes = batches.views * len(batches.rows), len(card.data.classes)
        room = views if 4 * views * classes <= context.feature_bytes else 0
        self._known = np.zeros(room, bool)
        self._answers = torch.zeros(room, classes, device=device)

    @torch.no_grad()
    def logits(self, batch: PlannedBatch, part: slice, wanted: Tensor, inputs: Tensor) -> Tensor:
        """Logits (b, classes) for a slice of the batch, of which the student sees `inputs`, made of `wanted`."""
        if self._batches.views:
            mirrored = (batch.draws[part][:, DRAW_COLUMNS["mirror"]] < 0.5) & (self._batches.views > 1)
            return self._cached_logits(batch.rows[part] + mirrored * len(self._batches.rows))
        student = self._batches.preprocess
        seen = {student.spec: inputs} if student else {}
        for member in self._members:
            if member.preprocess.spec not in seen:
                views = replace(self._batches, preprocess=member.preprocess)
                own = self._load(batch, wanted, member.preprocess.spec.square_fit)
                seen[member.preprocess.spec], _ = views.inputs(batch, own, part)
        logits = [forward(member.network, seen[member.preprocess.spec]) for member in self._members]
        return mean_probability_logits(logits, getattr(self._classifier, "counts", ()))

    def _cached_logits(self, views: Rows) -> Tensor:
        """Logits for views of which there are few: the trial's images by their positions, then their mirror images."""
        if not len(self._known):
            return self._compute_logits(views)
        new = views[~self._known[views]]
        if len(new):
            self._answers[torch.from_numpy(new).to(self._answers.device)] = self._compute_logits(new)
            self._known[new] = True
        return self._answers[torch.from_numpy(views).to(self._answers.device)]

    def _compute_logits(self, views: Rows) -> Tensor:
        count = len(self._batches.rows)
        seen = [images.load(self._batches.rows[views % count]) for images in self._images]
        mirrored = torch.from_numpy(views >= count).to(seen[0].device)[:, None, None, None]
        return forward(self._classifier, *(torch.where(mirrored, images.flip(-1), images) for images in seen))

    def _load(self, batch: PlannedBatch, wanted: Tensor, fit: SquareFit | None) -> Tensor:
        """The stored inputs that the batch needs, for a network with `fit`; `wanted` are the student's."""
        student = self._batches.preprocess
        if student is None or fit is None or fit == student.spec.square_fit:
            return wanted
        rows = self._batches.rows[batch.needed_rows]
        if self._batches.parts is None:
            return self._images[self._classifier.fits.index(fit)].load(rows)
        made = replace(self._batches.parts, fit=fit).make(rows, batch.needed_draws[:, CROP_COLUMNS])
        return torch.from_numpy(made).to(wanted.device)
