"""Augmentations of the user's own: functions of images, draws and a strength, whose range stands beside them."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from trainables.augmentation.augmentation_registry import (
    AUGMENTATIONS,
    Augmentation,
    register_augmentation,
    remove_augmentation,
)
from trainables.common.errors import UserError
from trainables.config import Frozen, TrialConfig
from trainables.custom.custom_code import CustomPart, Line
from trainables.custom.ranges import Choice, Float, Int, OwnRange

if TYPE_CHECKING:
    from torch import Tensor

AUGMENTATION = "searchspace_augmentation"
"""Attribute of a function that holds what `augmentation` declares of it."""
LABEL = r"^[^{}]*(\{(:\.[0-9][gf%])?\}[^{}]*)?$"
"""What a label may be: text, with one place for the strength."""
MAX_DRAWS = 64
"""Most random numbers for each image."""
TOLERANCE = 1e-3
"""Largest distance of a pixel from 0 to 1."""
SIDE = 12
"""Side of the images that an augmentation is tried on, in pixels."""
F = TypeVar("F", bound=Callable[..., Any])


class AugmentationDescription(Frozen):
    """What a record keeps of an augmentation. It may be others' writing."""

    label: Annotated[Line, Field(pattern=LABEL)]
    """What reports say of it, with `{}`, `{:.3g}` or the like for the strength."""
    draws: int = Field(ge=0, le=MAX_DRAWS)
    """Random numbers for each image."""
    hyperparameters: dict[str, OwnRange]
    """Range of its strength, by its name."""


def augmentation(*, strength: Choice | Int | Float, draws: int = 1, label: str = "") -> Callable[[F], F]:
    """Declare how a function augments: `@searchspace.augmentation(strength=Float(0, 0.5), draws=2)`.

    It takes images (b, c, h, w), floats from 0 to 1, `draws` uniform random numbers for each, (b, draws), and a
    strength of the given range, and returns images alike. A range begins with the value that is off, 0 or the first
    choice. `label`: what reports say of it, with `{}` for the strength.
    """

    def declare(function: F) -> F:
        setattr(function, AUGMENTATION, {"strength": strength, "draws": draws, "label": label})
        return function

    return declare


def describe_augmentation_part(found: Any) -> dict[str, Any]:
    """What a record keeps of an augmentation; raises `UserError` for one that no search can use.

    It is tried on a few images: it has to return images of the same shape, from 0 to 1, each by its own draws alone.
    """
    declared = getattr(found, AUGMENTATION, None)
    if declared is None:
        raise UserError("has no strength; declare it, @searchspace.augmentation(strength=Float(0, 0.5))")
    name, strength, draws = str(found.__name__), declared["strength"], declared["draws"]
    if name in TrialConfig.model_fields:
        raise UserError(f"is called {name!r}, as a hyperparameter of searchspace's own is; give it another name")
    if not isinstance(strength, Choice | Int | Float):
        raise UserError(f"its strength is {strength!r}; expected Choice(...), Int(0, high) or Float(0, high)")
    if not isinstance(strength, Choice) and (strength.low != 0 or strength.log):
        raise UserError(f"its strength begins at {strength.low:g}; a range begins at 0, which is off")
    if not isinstance(draws, int) or not 0 <= draws <= MAX_DRAWS:
        raise UserError(f"takes {draws!r} draws; give a whole number from 0 to {MAX_DRAWS}")
    try:
        inspect.signature(found).bind(None, None, None)
    except TypeError as error:
        raise UserError(
            f"the function takes {inspect.signature(found)}; an augmentation takes (images, draws, strength)"
        ) from error
    _try(found, [*strength.choices] if isinstance(strength, Choice) else [strength.high / 2, strength.high], draws)
    label = declared["label"] or f"{name.replace('_', ' ')} {{}}"
    try:
        described = AugmentationDescription(label=label, draws=draws, hyperparameters={name: strength})
        described.label.format(strength.choices[0] if isinstance(strength, Choice) else strength.high)
    except ValueError as error:
        raise UserError(f"its label is {label!r}; give a line of text, with {{}} or {{:.3g}} for a number") from error
    return described.model_dump(mode="json")


def add_augmentation(part: CustomPart, found: Any, _code_digest: str) -> None:
    """Let an augmentation be found by its name, and the default space search it."""
    name, known = part.attribute, AUGMENTATIONS.get(part.attribute)
    if known is not None and found is None:
        return
    if known is not None and (known.off is None or known.own is not None):
        raise UserError(f"--augmentations {part.reference!r}: there is an augmentation {name!r} already; rename it")
    described = AugmentationDescription.model_validate(part.description)
    strength = described.hyperparameters.get(name, Float(0.0, 1.0))
    if isinstance(strength, Choice):
        span: dict[str, Any] = {"choices": strength.choices}
    else:
        span = {"low": strength.low, "high": strength.high}
    draws = tuple(f"{name} {index}" for index in range(described.draws if found else 0))
    label, off, loaded = described.label, off_of(strength), found is not None
    register_augmentation(name, Augmentation(label, "", draws, in_default_space=loaded, own=found, off=off, **span))


def remove_augmentation_part(part: CustomPart) -> None:
    """Let an augmentation be found no longer."""
    remove_augmentation(part.attribute)


def off_of(strength: Choice | Int | Float) -> Any:
    """Value of a range that switches an augmentation off."""
    return strength.choices[0] if isinstance(strength, Choice) else type(strength.low)(0)


def _try(found: Callable[..., "Tensor"], strengths: list[Any], draws: int) -> None:
    """Call an augmentation as training does; raises `UserError` where it returns what no network can be shown."""
    import torch

    errors = {}
    for channels in (3, 1):
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(5, channels, SIDE, SIDE, generator=generator)
        given = torch.rand(5, draws, generator=generator)
        for strength in strengths:
            try:
                _check_images(images, given, strength, found)
            except UserError:
                raise
            except Exception as error:  # the user's function may raise anything
                errors[channels] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if len(errors) == 2:  # some are for colours alone, or for grey images
        raise UserError(f"raises {errors[3]}")


def _check_images(images: "Tensor", draws: "Tensor", strength: Any, found: Callable[..., "Tensor"]) -> None:
    import torch

    before = images.clone()
    result = found(images.clone(memory_format=torch.channels_last), draws.clone(), strength)
    if not isinstance(result, torch.Tensor) or result.shape != images.shape or result.dtype != images.dtype:
        what = f"{result.dtype} of {tuple(result.shape)}" if isinstance(result, torch.Tensor) else type(result).__name__
        raise UserError(f"returns {what} for {images.dtype} of {tuple(images.shape)}; return images alike")
    low, high = float(result.min()), float(result.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise UserError(f"returns pixels from {low:.3g} to {high:.3g} at strength {strength}; clamp them to 0 and 1")
    again = found(before.clone(), draws.clone(), strength)
    if not torch.allclose(result, again, atol=1e-5):
        raise UserError("gives other images for the same draws; take random numbers from `draws` alone")
    single = torch.cat(
        [found(before[i : i + 1].clone(), draws[i : i + 1].clone(), strength) for i in range(len(before))]
    )
    if not torch.allclose(result, single, atol=1e-4):
        raise UserError("gives an image other pixels beside other images; change each by itself and its own draws")
