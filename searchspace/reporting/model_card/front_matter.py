"""The card's head as Hugging Face reads it: YAML between two lines of dashes.

The names are those of the hub's own specification (github.com/huggingface/hub-docs, modelcard.md).
"""

from collections.abc import Iterator
from typing import Any

from searchspace.reporting.model_card.facts import Facts
from trainables.common.escaping import as_yaml
from trainables.common.licence import OTHER, YOURS, binding
from trainables.metrics.intervals import WILSON

TASK = "image-classification"
LISTED = {
    "apache-2.0", "apple-amlr", "apple-ascl", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "gemma", "mit", "unknown",
}  # fmt: skip
"""Licences of weights that the hub has an id for; any other is `other`, under its name."""
NAMES = {YOURS: "trained-from-scratch", OTHER: "see-licence-below"}
"""Names of licences that have no id of their own."""


def front_matter(facts: Facts) -> str:
    """The head, with the lines of dashes."""
    return f"---\n{as_yaml(_metadata(facts))}---"


def _metadata(facts: Facts) -> dict[str, Any]:
    shipment = facts.shipment
    served = shipment is not None and shipment.served is not None
    return {
        **_licence(facts),
        "library_name": "onnx" if served else "pytorch",
        "pipeline_tag": TASK,
        "tags": [TASK, *(["onnx"] if served else []), "pytorch", "safetensors", "searchspace"],
        "datasets": [facts.data.name],
        "metrics": ["accuracy", "precision", "recall", "f1"],
        "model-index": [{"name": facts.spec.name, "results": [_results(facts)]}],
    }


def _licence(facts: Facts) -> dict[str, Any]:
    """Of the weights; several where members have several."""
    ids = binding([member.licence for member in facts.card.members])
    unlisted = [NAMES.get(name, name) for name in ids if name not in LISTED]
    listed = [name for name in ids if name in LISTED] + [OTHER] * bool(unlisted)
    named = {"license_name": ", ".join(unlisted)} if unlisted else {}
    return {"license": listed[0] if len(listed) == 1 else listed, **named}


def _results(facts: Facts) -> dict[str, Any]:
    data, name = facts.data, facts.data.name
    return {
        "task": {"type": TASK, "name": "Image classification"},
        "dataset": {"type": name, "name": name, "split": "test", "revision": data.fingerprint},
        "metrics": list(_metrics(facts)),
    }


def _metrics(facts: Facts) -> Iterator[dict[str, Any]]:
    found = facts.metrics
    recall, f1 = found.method("balanced_accuracy"), found.method("f1_macro")
    for kind, name, value, ends, method in (
        ("accuracy", "Accuracy", found.accuracy, (found.accuracy_low, found.accuracy_high), found.method("accuracy")),
        ("precision", "Precision, mean over classes", found.precision_macro, None, ""),
        (
            "recall",
            "Recall, mean over classes",
            found.recall_macro,
            (found.recall_macro_low, found.recall_macro_high),
            recall,
        ),
        ("f1", "F1, mean over classes", found.f1_macro, (found.f1_macro_low, found.f1_macro_high), f1),
        ("top_5_accuracy", "Top-5 accuracy", found.top5, found.top5_interval, WILSON),
        (
            "log_loss",
            "Log loss, nats",
            found.log_loss,
            (found.log_loss_low, found.log_loss_high),
            found.method("log_loss"),
        ),
        ("calibration_error", "Expected calibration error", found.calibration_error, None, ""),
    ):
        if value is not None:
            args = {"interval_95": [round(end, 4) for end in ends], "interval_method": method} if ends else {}
            interval = {"args": args} if args else {}
            yield {"type": kind, "name": name, "value": round(value, 4), **interval}
