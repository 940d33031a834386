"""What every artefact says of itself, in its own metadata: whoever has the file needs nothing else."""

import json
from importlib.metadata import version

from trainables.card import AnyCard

PACKAGES = ("searchspace", "torch", "torchvision", "timm", "onnx", "onnxruntime")


def describe(card: AnyCard) -> dict[str, str]:
    """Classes, shape and normalisation, configuration, data and versions, as texts; lists and records are JSON."""
    data = card.data
    return {
        "classes": json.dumps(data.classes),
        "shape": json.dumps([data.channels, data.height, data.width]),
        **card.facts,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
    }
