"""Limitations: what this model cannot do, and what its figures do not show."""

from collections.abc import Iterator

from searchspace.finals.reliability import format_overconfidence
from searchspace.reporting.markdown import bullets
from searchspace.reporting.results import ClassifierResults
from searchspace.storage.search_folder import earlier_winners
from trainables.common.escaping import as_markdown
from trainables.data.sources.source_registry import NAMED_SETS
from trainables.export.model_info import InputSpec, fits_of
from trainables.models.model_registry import is_pretrained

FEW_TEST_IMAGES = 30
"""Test images of a class below which its figures say little."""
IMBALANCE_RATIO = 2.0
"""Training images of the largest class for each one of the smallest that are worth a word."""
MAX_NAMED_CLASSES = 10
"""Classes that are named, of those."""
MIN_OVERCONFIDENCE = 0.02
"""Distance of confidence from accuracy that is worth a word."""
MIN_CORRUPTION_LOSS = 0.05
"""Accuracy that a corruption takes, likewise."""


def describe_limitations(model: ClassifierResults) -> str:
    """One sentence or two on each."""
    return bullets([*_knows(model), *_sees(model), *_tested(model), *_shipped(model)])


def _knows(model: ClassifierResults) -> Iterator[str]:
    data = model.data
    yield (
        f"It knows {len(data.classes):,} classes and nothing else: the answer to any image is one of them, "
        "and a high probability is no sign that the image shows any of them"
    )
    yield (
        f"It was trained and tested on images of one origin ({as_markdown(data.name)}). Its figures hold for images "
        "that come about as those did; others (another camera, place, time or preparation) have not been tried"
    )
    if any(is_pretrained(member.config.model) for member in model.info.members):
        yield "It began with weights that were trained on other images, and carries on what those were partial to"
    if data.imbalance >= IMBALANCE_RATIO:
        fewest, most = min(data.counts), max(data.counts)
        yield f"Its classes are unbalanced, {fewest:,} to {most:,} training images each: it leans to the frequent ones"


FIT_EFFECTS = {
    "crop": "the middle of an image, whose edges it loses",
    "pad": "the whole image, reduced, with a border",
    "stretch": "the whole image, reduced and distorted to a square",
}
"""What each way of making squares does to an image."""


def _sees(model: ClassifierResults) -> Iterator[str]:
    data = model.data
    colour = "; it sees no colour" if data.channels == 1 else ""
    if fits := fits_of(model.info):
        ways = "; ".join(f"{fit.side} x {fit.side} pixels, {FIT_EFFECTS[fit.kind]}" for fit in fits)
        yield f"It sees {ways}: what is lost by that it cannot know{colour}"
    else:
        yield (
            f"It sees {data.height} x {data.width} pixels: a larger image is reduced, one of another shape loses its "
            f"edges (the middle is kept), and what is lost by that it cannot know{colour}"
        )
    if not fits and (kept := min(_kept(member.input, data.side) for member in model.info.members)) < 1:
        yield f"Of those its network takes the middle {kept:.0%} of each side, and nothing of the rest"
    yield (
        "Its files take pixels: setting a photo upright by its EXIF, putting transparent parts on white and scaling 16 "
        "bits to 8 is done before, by the lines above and by `searchspace.predict` and `searchspace.serve`"
    )


def _kept(taken: InputSpec, side: int) -> float:
    """Share of a stored side that a network sees; one that would have to enlarge what it crops crops nothing."""
    return taken.crop if round(side * taken.crop) >= taken.side else 1.0


def _tested(model: ClassifierResults) -> Iterator[str]:
    found = model.metrics
    low, high = found.accuracy_low, found.accuracy_high
    yield (
        f"{found.count:,} test images leave its accuracy uncertain by {100 * (high - low) / 2:.2f} points either way "
        f"(95 % {as_markdown(found.method('accuracy'))} interval {low:.2%} to {high:.2%})"
    )
    if few := [entry for entry in found.classes if entry.count < FEW_TEST_IMAGES]:
        named = ", ".join(f"{as_markdown(entry.name)} ({entry.count:,})" for entry in few[:MAX_NAMED_CLASSES])
        more = f" and {len(few) - MAX_NAMED_CLASSES:,} more" if len(few) > MAX_NAMED_CLASSES else ""
        yield f"Classes of fewer than {FEW_TEST_IMAGES} test images, whose own figures say little: {named}{more}"
    copies = model.data.copies
    if leaked := model.data.leaked + (copies.still_near if copies else 0):
        yield (
            f"{leaked:,} validation or test images also occur in another split, so its figures may flatter it "
            "(`../leaked-images.csv`)"
        )
    if model.data.grouping is None and model.data.origin not in NAMED_SETS:
        yield (
            "Whether test images show persons, places or things that training images show, too, is not known: no "
            "groups of images were given (`--group-by`, `--group-column`)"
        )
    if before := len(earlier_winners(model.folder.parent)):
        yield f"{before:,} earlier winner{'s' if before > 1 else ''} of this search opened the test split before it"
    predictions = model.predictions
    if predictions is not None and abs(predictions.overconfidence) >= MIN_OVERCONFIDENCE:
        yield f"Its probabilities are not to be taken at their word: it is {format_overconfidence(predictions)}"


def _shipped(model: ClassifierResults) -> Iterator[str]:
    robustness, shipment = model.robustness, model.shipment
    if robustness is not None and robustness.clean - robustness.worst.accuracy >= MIN_CORRUPTION_LOSS:
        worst = robustness.worst
        yield (
            f"Worse images cost it: {as_markdown(worst.corruption)} at strength {worst.strength} leaves "
            f"{worst.accuracy:.2%} of {robustness.clean:.2%}"
        )
    if shipment is None:
        return
    for name in ("onnx-int8", "pt2-half"):
        if artefact := shipment.find(name):
            lost = 100 * (shipment.artefacts[0].proof.accuracy - artefact.proof.accuracy)
            change = f"{abs(lost):.2f} points {'less' if lost > 0 else 'more'} accurate" if lost else "as accurate"
            yield (
                f"As {name} it is not the same model to the digit: {change} on the test images, and it calls "
                f"{1 - artefact.proof.agreement:.2%} of them something else than PyTorch does"
            )
    yield f"Speed and memory are those of one machine ({as_markdown(shipment.machine)}), and may differ on yours"
