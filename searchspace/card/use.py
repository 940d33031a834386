"""How to run each file of the folder, in a few lines that work as they stand."""

from searchspace.card.facts import Facts
from searchspace.card.markdown import code, paragraphs
from trainables.card import CARD
from trainables.deploy.artefact import SERVED, Artefact, Shipment

READ = 'PIL.Image.open("photo.jpg").convert("RGB")'


def onnx_code(file: str) -> str:
    """An ONNX file by onnxruntime."""
    return (
        "import json, numpy, onnxruntime, PIL.Image\n"
        f'model = onnxruntime.InferenceSession("{file}")\n'
        f"images = numpy.array({READ}).transpose(2, 0, 1)[None]\n"
        '(probabilities,) = model.run(["probabilities"], {"images": images})[0]\n'
        'classes = json.loads(model.get_modelmeta().custom_metadata_map["classes"])\n'
        "print(classes[probabilities.argmax()], probabilities.max())"
    )


def program_code(file: str, device: str = "cpu") -> str:
    """A `.pt2` file by torch, on the device that it was exported for."""
    there = "" if device == "cpu" else f'.to("{device}")'
    return (
        "import json, numpy, PIL.Image, torch\n"
        'said = {"metadata.json": ""}\n'
        f'model = torch.export.load("{file}", extra_files=said).module()\n'
        f"images = torch.from_numpy(numpy.array({READ})).permute(2, 0, 1)[None]{there}\n"
        "logits, (probabilities,) = model(images)\n"
        'print(json.loads(json.loads(said["metadata.json"])["classes"])[probabilities.argmax()], '
        "probabilities.max().item())"
    )


def weights_code() -> str:
    """The weights by this project, to train on or to change."""
    return (
        "import pathlib, numpy, PIL.Image, torch\n"
        "from trainables.deploy.fit import Fit\n"
        "from trainables.weights import read_classifier\n"
        'model, card = read_classifier(pathlib.Path("."))\n'
        f"images = torch.from_numpy(numpy.array({READ})).permute(2, 0, 1)[None]\n"
        "logits = model(Fit(card.data.channels, card.data.height, card.data.width)(images))\n"
        "print(card.data.classes[logits.argmax()], logits.softmax(1).max().item())"
    )


def use(facts: Facts) -> str:
    """Each way in which its files are run."""
    shipment = facts.shipment
    if shipment is None:
        return f"It is not exported: `python -m searchspace.export {facts.spec.results}/{facts.spec.name}` does that."
    return paragraphs(
        "In this folder, with an image `photo.jpg` in it. A model takes uint8 images, any number of one size, grey or "
        "RGB, upright: n x channels x height x width, of values 0 to 255. It fits them to its own size and normalises "
        "them itself.",
        *(way(shipment) for way in (_onnx, _program, _half, _weights)),
    )  # fmt: skip


def _onnx(shipment: Shipment) -> str:
    best = shipment.served
    if best is None:
        return ""
    others = [artefact for artefact in shipment.artefacts if artefact.format in SERVED and artefact is not best]
    same = "".join(f"; `{artefact.file}` runs the same way" for artefact in others)
    return paragraphs(
        f"**{best.format}**{_mark(best, shipment)}, by onnxruntime, numpy and Pillow{same}:",
        code(onnx_code(best.file), "python"),
        "or without a line of code, where this project is installed: on images, or as a service for them:",
        code(f"python -m searchspace.predict {best.file} photo.jpg\npython -m searchspace.serve {best.file}", "bash"),
    )


def _program(shipment: Shipment) -> str:
    shipped = shipment.of("pt2")
    if shipped is None:
        return ""
    said = f"**pt2**{_mark(shipped, shipment)}, by torch, without this project's code:"
    return paragraphs(said, code(program_code(shipped.file), "python"))


def _half(shipment: Shipment) -> str:
    shipped = shipment.of("pt2-half")
    if shipped is None:
        return ""
    said = f"**pt2-half**{_mark(shipped, shipment)}, which computes in float16, by torch on a CUDA GPU:"
    return paragraphs(said, code(program_code(shipped.file, "cuda"), "python"))


def _weights(shipment: Shipment) -> str:
    said = f"**{shipment.artefacts[0].file}** with `{CARD}`, the weights themselves, by this project:"
    return paragraphs(said, code(weights_code(), "python"))


def _mark(artefact: Artefact, shipment: Shipment) -> str:
    return " (recommended)" if artefact.format == shipment.recommended else ""
