"""Introduction of the model in two sentences, with its test score."""

from searchspace.finals.formatting import format_test_score
from searchspace.reporting.markdown import paragraphs
from searchspace.reporting.results import ClassifierResults
from trainables.common.escaping import as_markdown
from trainables.metrics.metric_registry import METRICS
from trainables.models.model_registry import learning_kind

KINDS = {
    "scratch": "trained from scratch",
    "pretrained": "trained on from weights that others had trained",
    "frozen": "with a new head on weights that others had trained",
}
"""How a network came to know what it knows, in words, by `learning_kind`."""
NAMED = 12
"""Classes up to which all are named."""


def introduce(model: ClassifierResults) -> str:
    """What it is, what it knows, how good it is."""
    what = (
        f"An image classifier for {as_markdown(model.data.name)} ({format_classes(model)}): {format_network(model)}, "
        f"the best of {len(model.search.trials):,} configurations that a search tried."
    )
    return head(model, what, "opened once for it")


def head(model: ClassifierResults, what: str, opened: str) -> str:
    """Its name, what it is, and how good it is on a test split that was `opened` so."""
    metric, tested = model.search.spec.metric, model.metrics
    how_good = (
        f"**Test {METRICS[metric].label}: {as_markdown(format_test_score(metric, tested))}**, on "
        f"{tested.count:,} images of a test split that nothing was chosen by, {opened}."
    )
    return paragraphs(f"# {as_markdown(model.search.spec.name)}: the {model.folder.name}", f"{what} {how_good}")


def format_classes(model: ClassifierResults) -> str:
    """How many classes it knows, and the first of them."""
    names = model.data.classes
    shown = ", ".join(as_markdown(name) for name in names[:NAMED])
    rest = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{len(names):,} classes: {shown}{rest}"


def format_network(model: ClassifierResults) -> str:
    """Its architecture, how large it is, and how it came to know what it knows."""
    members = model.info.members
    came = " and ".join(dict.fromkeys(KINDS[learning_kind(member.config)] for member in members))
    models = as_markdown(model.architectures)
    many = f"{len(members)} networks whose probabilities are averaged ({models})"
    one = f"the network {models}"
    cost = model.shipment.cost if model.shipment else None
    size = f" of {cost.parameters:,} parameters" if cost else ""
    return f"{many if len(members) > 1 else one}{size}, {came}"
