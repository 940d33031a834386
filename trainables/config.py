"""The frozen objects of every interface: a trial's configuration, its assignment to a gang, its reports."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from trainables.data.loading.square_fit import FitKind
from trainables.metrics.metric_registry import MetricName

CHECKPOINTS = "checkpoints"
"""Folder of a trial's checkpoints, in its own."""
Kind = Literal["search", "final", "winner", "test", "probe"]
Status = Literal["running", "complete", "failed"]
LONGEST_NAME = 200
"""Characters of a model's name."""
LOSS_WEIGHT = 1e-10
"""Of a nat against a score: at most a hundred-millionth, less than one image in any validation split."""


MODEL_NAME = re.compile(r"((torchvision|custom)/)?[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def check_model_name(name: str) -> str:
    """`name` if it can be one of timm's or torchvision's, or an own one; raises ValueError for any other.

    Timm also opens hubs and folders by names such as `hf-hub:OWNER/MODEL`, and names may come from others' records.
    """
    if len(name) > LONGEST_NAME or not MODEL_NAME.fullmatch(name):
        raise ValueError("is no model's name; hubs, folders and URLs are not opened")
    return name


class Frozen(BaseModel):
    """An immutable, strictly named record; each field's docstring is its meaning and unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Finite(Frozen):
    """A record whose numbers are all finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class HashableDict(dict[str, bool | int | float | str]):
    """A dict that is not changed once it is made, and has a hash."""

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
        """Hash of its items, in any order."""
        return hash(frozenset(self.items()))


class TrialConfig(Frozen):
    """One point of the search space; a field's name is the name of that hyperparameter everywhere."""

    model: Annotated[str, AfterValidator(check_model_name)] = Field("convnet", min_length=1)
    """Architecture: a name in `trainables.models.MODELS`, or a timm or `torchvision/NAME` backbone."""
    width: int = Field(32, ge=4, le=1024)
    """Channels of the first stage of a network trained from scratch; a convnet's later blocks have four times that."""
    depth: int = Field(2, ge=1, le=12)
    """Blocks of two convolutions (convnet), or residual blocks a stage (resnet)."""
    activation: Literal["relu", "gelu", "silu"] = "relu"
    """Non-linearity of a network trained from scratch."""
    batch_norm: bool = True
    """Whether a convnet normalises over the batch after each convolution."""
    whiten: bool = True
    """Whether a convnet's first convolution is fixed to whiten patches of the training images, or learnt."""
    dropout: float = Field(0.0, ge=0.0, le=0.9)
    """Probability of dropping a feature in front of the head."""
    freeze: Literal["none", "stem", "lower", "all"] = "none"
    """Which part of a pretrained backbone keeps its weights: nothing, its first quarter, all but its last blocks, or
    all but the head."""
    head_solver: Literal["gradient", "lbfgs"] = "gradient"
    """How the head of a backbone that is frozen as a whole is found: by gradient steps, or as multinomial logistic
    regression, a convex problem that L-BFGS solves at once, its L2 chosen by cross-validation on training images."""
    head_init: Literal["random", "probe"] = "random"
    """What the head of a pretrained backbone begins as: random weights, or the logistic regression on its frozen
    features (arXiv:2202.10054)."""
    input_size: int = Field(0, ge=0, le=1024)
    """Side of the square the network sees, in pixels; 0 lets the model choose from the data's size."""
    fit: FitKind = "crop"
    """How an image becomes that square, where sizes differ or are no squares: its centre, or the whole image, with a
    border (pad) or distorted (stretch)."""
    optimizer: Literal["sgd", "adamw", "muon"] = "adamw"
    """SGD with Nesterov momentum, AdamW, or Muon for the trunk's kernels and matrices with AdamW for the rest."""
    lr: float = Field(1e-3, gt=0.0, le=10.0)
    """Peak learning rate of a network trained from scratch; Muon's steps are scaled to AdamW's, so one range serves."""
    head_lr: float = Field(1e-3, gt=0.0, le=10.0)
    """Peak learning rate of the new head on a pretrained backbone."""
    backbone_lr: float = Field(1e-4, gt=0.0, le=10.0)
    """Peak learning rate of a pretrained backbone's weights that are not frozen."""
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    """Momentum of SGD and Muon."""
    weight_decay: float = Field(1e-4, ge=0.0, le=1.0)
    """Weight decay of matrices and kernels (vectors such as biases have none)."""
    batch_size: int = Field(64, ge=2, le=16384)
    """Images in one optimizer step, over all workers of the gang."""
    warmup: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of all steps in which the learning rate rises, in a line, before it falls to zero, in a line."""
    label_smoothing: float = Field(0.0, ge=0.0, le=0.5)
    """Share of the target's mass spread over all classes."""
    mixup: float = Field(0.0, ge=0.0, le=2.0)
    """MixUp's Beta parameter (arXiv:1710.09412); 0 is off."""
    cutmix: float = Field(0.0, ge=0.0, le=2.0)
    """CutMix's Beta parameter (arXiv:1905.04899); 0 is off. With both on, each batch tosses a coin."""
    augment_strength: float = Field(0.0, ge=0.0, le=1.0)
    """Strength of rotation, zoom, shift, shear, colour and erasing; 0 is off, 1 the strongest."""
    flip: Literal["none", "random", "alternating"] = "none"
    """Mirroring of training images left to right: by a coin each epoch, or every other epoch (arXiv:2404.00498)."""
    translate: int = Field(0, ge=0, le=64)
    """Largest shift of a training image, in whole pixels of the network's input, its edges reflected; 0 is off."""
    crop_scale: float = Field(1.0, ge=0.05, le=1.0)
    """Smallest share of an image's area that training shows, a random part at each time (arXiv:1409.4842); 1 is off."""
    cached_views: int = Field(0, ge=0, le=16)
    """Random views of each image, beside itself and its mirror image, that the lower part of a backbone sees once; each
    epoch trains on one of them. Only for a backbone that is frozen, lower or all; 0 is off."""
    tta: bool = False
    """Whether inference averages the logits of an image and its mirror image, exported too; it takes twice as long."""
    grad_clip: float = Field(0.0, ge=0.0, le=100.0)
    """Largest global gradient norm; 0 is off."""
    balance: Literal["none", "loss", "sampling"] = "none"
    """How classes of few images are met: not, by weighing losses against frequency, or by drawing all equally often."""
    custom: Annotated[dict[str, bool | int | float | str], AfterValidator(HashableDict)] = HashableDict()
    """Hyperparameters of parts of the user's own, by name."""

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Every hyperparameter's value by its name, those of own parts among them."""
        fields = {name: getattr(self, name) for name in TrialConfig.model_fields if name != "custom"}
        return fields | self.custom


class Decision(StrEnum):
    """How a trial goes on after a report."""

    CONTINUE = "continue"
    """It trains on."""
    PAUSE = "pause"
    """Its gang saves it and takes other work; the trial may be assigned again."""
    STOP = "stop"
    """It has ended, or everything is about to end; its gang saves it and takes other work."""


class Fold(Frozen):
    """One fold of a cross-validation."""

    index: int = Field(ge=0)
    """Which one: its images are scored, and not trained on."""
    count: int = Field(ge=2)
    """Number of folds."""
    repeat: int = Field(0, ge=0)
    """Which repetition; each deals the images anew."""


class Assignment(Frozen):
    """One trial handed to a gang."""

    trial: str
    """Name within the search: `trial-7`, `final-7-1`, `final-7-0-fold-3`, `winner`."""
    kind: Kind
    """What it trains on: search on train (scored on val), final on its own split of both, winner on train+val; test
    only evaluates; probe times some steps on train, and keeps nothing."""
    metric: MetricName = "accuracy"
    """What its score is."""
    weighted: bool = False
    """Whether scores are weighted by what the data set gives its images."""
    config: TrialConfig
    """The configuration to train."""
    fold: Fold | None = None
    """The fold that a final is scored on; None without cross-validation."""
    seed: int = Field(ge=0)
    """Seed of everything random in it."""
    max_epochs: int = Field(ge=1)
    """Full length, in epochs: the schedule's end."""
    rungs: tuple[int, ...] = ()
    """Epochs after which the gang waits for the decision to continue."""
    known: int = Field(0, ge=0)
    """Epochs whose reports are recorded; later ones in a checkpoint are reported again."""
    folder: str
    """Where checkpoints and errors of this trial go; on storage that every node sees."""
    teacher: str = ""
    """Folder of a trained classifier whose answers it learns instead of labels; empty learns labels."""
    checkpoint_seconds: float = Field(10.0, ge=0.0)
    """Least seconds between two checkpoints."""
    attempt: int = Field(0, ge=0)
    """How often this assignment was begun before on a worker group that died."""
    micro_batch: int = Field(0, ge=0)
    """Largest images a forward pass and worker; 0 is the worker's whole share of the batch."""
    threads: int = Field(0, ge=0)
    """Threads of each worker while it trains this; 0: the gang's own."""

    @property
    def checkpoints(self) -> Path:
        """Folder of its checkpoints."""
        return Path(self.folder) / CHECKPOINTS


class EpochReport(Frozen):
    """Results of one epoch of one trial, over all workers of its gang."""

    trial: str
    """The assignment's trial."""
    epoch: int = Field(ge=0)
    """Epochs trained so far; 0 for a failure before the first epoch's end."""
    score: float = 0.0
    """Validation score of the averaged weights, in the assignment's metric; higher is better."""
    accuracy: float = 0.0
    """Their validation accuracy, from 0 to 1, independent of the metric."""
    val_loss: float = 0.0
    """Mean validation cross-entropy, in nats."""
    train_loss: float = 0.0
    """Mean training loss over the epoch, in nats, as it is trained on: smoothed, mixed and weighed."""
    seconds: float = 0.0
    """Seconds this epoch took: training and evaluation."""
    total_seconds: float = 0.0
    """Seconds of all epochs so far, the trial's set-up included."""
    images_per_second: float = 0.0
    """Training images a second, over all workers, without evaluation."""
    parameters: int = 0
    """Parameters of the network, trained or frozen."""
    micro_batch: int = 0
    """Images of one forward pass a worker; smaller than its share of the batch after an out-of-memory."""
    setup_seconds: float = 0.0
    """Seconds from the assignment's arrival to its first step (first epoch on a gang only)."""
    shared_seconds: float = 0.0
    """Of `setup_seconds`, those of work that later trials save, such as the features of a frozen backbone."""
    save_seconds: float = 0.0
    """Seconds from this epoch's end to its report: a checkpoint, or what the trial leaves, had to be written first."""
    wait_seconds: float = 0.0
    """Seconds from the gang's report before to this epoch's start: the decision to continue, a new trial, set-up."""
    status: Status = "running"
    """Whether the trial is running, has run its full length, or has failed."""
    reason: str = ""
    """Why it failed: `diverged`, `out of memory`, or the error's one line."""
    slot: int | None = None
    """Slot whose gang trained it; None where no gang did, or none says so."""
    trouble: str = ""
    """Why its newest checkpoint could not be written, if it could not; it trains on."""

    @property
    def objective_value(self) -> float:
        """What early stopping compares: the score, and among equal ones the lower loss, which outweighs no image.

        With a log loss as the score, both say the same.
        """
        return self.score - LOSS_WEIGHT * min(self.val_loss, 100.0)


def failure(trial: str, reason: str, epoch: int = 0) -> EpochReport:
    """The report that ends a trial with an outcome instead of a score."""
    return EpochReport(trial=trial, epoch=epoch, status="failed", reason=reason)
