"""What every artefact says of itself, in its own metadata: whoever has the file needs nothing else."""

import json

from trainables.common.licence import binding
from trainables.common.versions import versions_of
from trainables.data.sources.source_registry import pixels_of_data
from trainables.data.store.data_summary import DataSummary
from trainables.export.model_info import AnyCard

PACKAGES = ("searchspace", "torch", "torchvision", "timm", "onnx", "onnxruntime")


def say_pixels(data: DataSummary) -> str:
    """What values an image's pixels have, and how those of the published data became so."""
    return "; ".join(filter(None, ("uint8, 0 (black) to 255 (white)", pixels_of_data(data.origin))))


def describe(card: AnyCard) -> dict[str, str]:
    """Classes, shape, pixels and normalisation, configuration, licence, data and versions, as texts; lists are JSON."""
    data = card.data
    licences = [member.licence for member in card.members]
    return {
        "classes": json.dumps(data.classes),
        "shape": json.dumps([data.channels, data.height, data.width]),
        "pixels": say_pixels(data),
        **card.facts,
        "license": ", ".join(binding(licences)),
        "license_terms": "; ".join(dict.fromkeys(licence.terms for licence in licences)),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "versions": json.dumps(versions_of(PACKAGES)),
    }
