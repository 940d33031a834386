"""What every artefact says of itself, in its own metadata: whoever has the file needs nothing else."""

import json

from trainables.card import AnyCard
from trainables.licence import binding
from trainables.versions import versions_of

PACKAGES = ("searchspace", "torch", "torchvision", "timm", "onnx", "onnxruntime")


def describe(card: AnyCard) -> dict[str, str]:
    """Classes, shape and normalisation, configuration, licence, data and versions, as texts; lists are JSON."""
    data = card.data
    licences = [member.licence for member in card.members]
    return {
        "classes": json.dumps(data.classes),
        "shape": json.dumps([data.channels, data.height, data.width]),
        **card.facts,
        "license": ", ".join(binding(licences)),
        "license_terms": "; ".join(dict.fromkeys(licence.terms for licence in licences)),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "versions": json.dumps(versions_of(PACKAGES)),
    }
