"""The card's head as Hugging Face reads it: YAML between two lines of dashes.

The names are those of the hub's own specification (github.com/huggingface/hub-docs, modelcard.md).
"""

from collections.abc import Iterator
from typing import Any

from searchspace.finals.formatting import list_test_figures
from searchspace.reporting.results import ClassifierResults
from trainables.common.escaping import as_yaml
from trainables.common.licence import OTHER, YOURS, binding

TASK = "image-classification"
LISTED = {
    "apache-2.0", "apple-amlr", "apple-ascl", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "gemma", "mit", "unknown",
}  # fmt: skip
"""Licences of weights that the hub has an id for; any other is `other`, under its name."""
NAMES = {YOURS: "trained-from-scratch", OTHER: "see-licence-below"}
"""Names of licences that have no id of their own."""


def front_matter(model: ClassifierResults) -> str:
    """The head, with the lines of dashes."""
    return f"---\n{as_yaml(_metadata(model))}---"


def _metadata(model: ClassifierResults) -> dict[str, Any]:
    shipment = model.shipment
    served = shipment is not None and shipment.fastest_onnx is not None
    return {
        **_licence(model),
        "library_name": "onnx" if served else "pytorch",
        "pipeline_tag": TASK,
        "tags": [TASK, *(["onnx"] if served else []), "pytorch", "safetensors", "searchspace"],
        "datasets": [model.data.name],
        "metrics": ["accuracy", "precision", "recall", "f1"],
        "model-index": [{"name": model.search.spec.name, "results": [_results(model)]}],
    }


def _licence(model: ClassifierResults) -> dict[str, Any]:
    """Of the weights; several where members have several."""
    ids = binding([member.licence for member in model.info.members])
    unlisted = [NAMES.get(name, name) for name in ids if name not in LISTED]
    listed = [name for name in ids if name in LISTED] + [OTHER] * bool(unlisted)
    named = {"license_name": ", ".join(unlisted)} if unlisted else {}
    return {"license": listed[0] if len(listed) == 1 else listed, **named}


def _results(model: ClassifierResults) -> dict[str, Any]:
    data, name = model.data, model.data.name
    return {
        "task": {"type": TASK, "name": "Image classification"},
        "dataset": {"type": name, "name": name, "split": "test", "revision": data.fingerprint},
        "metrics": list(_metrics(model)),
    }


def _metrics(model: ClassifierResults) -> Iterator[dict[str, Any]]:
    for each in list_test_figures(model.metrics):
        if each.value is not None:
            args = {"interval_95": [round(end, 4) for end in each.interval or ()], "interval_method": each.method}
            interval = {"args": args} if each.interval else {}
            name = each.title[0].upper() + each.title[1:]
            yield {"type": each.hub_type, "name": name, "value": round(each.value, 4), **interval}
