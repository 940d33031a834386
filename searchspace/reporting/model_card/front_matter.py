"""The card's front matter: YAML between two lines of dashes, with the keys of Hugging Face's own `ModelCardData`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from searchspace.finals.formatting import list_test_figures
from searchspace.reporting.results import ClassifierResults
from trainables.common.escaping import as_yaml
from trainables.common.licence import OTHER, YOURS, binding

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "image-classification"
HUB_LICENCES = {
    "apache-2.0", "apple-amlr", "apple-ascl", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "gemma", "mit", "unknown",
}  # fmt: skip
"""Licences of weights that the hub has an id for; any other is `other`, under its name."""
LICENCE_NAMES = {YOURS: "trained-from-scratch", OTHER: "see-licence-below"}
"""Names of licences that have no id of their own."""


def front_matter(model: ClassifierResults) -> str:
    """The front matter, with the lines of dashes. Its YAML is ours: the hub's breaks long texts into several lines."""
    from huggingface_hub import ModelCardData

    has_onnx = model.shipment is not None and model.shipment.fastest_onnx is not None
    card: Any = ModelCardData(
        **_licence(model), library_name="onnx" if has_onnx else "pytorch", pipeline_tag=TASK,
        tags=[TASK, *(["onnx"] if has_onnx else []), "pytorch", "safetensors", "searchspace"],
        datasets=[model.data.name], metrics=["accuracy", "precision", "recall", "f1"],
        model_name=model.search.spec.name, eval_results=list(_results(model)),
    )  # fmt: skip
    return f"---\n{as_yaml(card.to_dict())}---"


def _licence(model: ClassifierResults) -> dict[str, Any]:
    """Of the weights; several where members have several."""
    ids = binding([member.licence for member in model.info.members])
    unlisted = [LICENCE_NAMES.get(name, name) for name in ids if name not in HUB_LICENCES]
    listed = [name for name in ids if name in HUB_LICENCES] + [OTHER] * bool(unlisted)
    named = {"license_name": ", ".join(unlisted)} if unlisted else {}
    return {"license": listed[0] if len(listed) == 1 else listed, **named}


def _results(model: ClassifierResults) -> "Iterator[EvalResult]":
    """Each test metric, with its 95 % interval where it has one."""
    from huggingface_hub import EvalResult

    name = model.data.name
    for figure in list_test_figures(model.metrics):
        if figure.value is not None:
            ends = [round(end, 4) for end in figure.interval or ()]
            yield EvalResult(
                task_type=TASK, task_name="Image classification", dataset_type=name, dataset_name=name,
                dataset_split="test", dataset_revision=model.data.fingerprint, metric_type=figure.hub_type,
                metric_name=figure.title[0].upper() + figure.title[1:], metric_value=round(figure.value, 4),
                metric_args={"interval_95": ends, "interval_method": figure.method} if ends else None,
            )  # fmt: skip
