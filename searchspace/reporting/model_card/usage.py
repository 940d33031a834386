"""Code that runs each file of the folder, in a few complete lines."""

import shlex

from searchspace.reporting.markdown import paragraphs
from searchspace.reporting.model_card.snippets import onnx_code, program_code, weights_code
from searchspace.reporting.results import ClassifierResults
from trainables.common.escaping import as_code, as_code_block, as_markdown
from trainables.custom.custom_code import is_custom
from trainables.data.sources.source_registry import pixels_of_data
from trainables.export.exported_files import ONNX_FORMATS, ExportedFile, ExportRecord
from trainables.export.model_info import MODEL_INFO


def describe_usage(model: ClassifierResults) -> str:
    """Each way in which its files are run."""
    shipment = model.shipment
    if shipment is None:
        command = f"searchspace export {shlex.quote(f'{model.search.spec.results}/{model.search.spec.name}')}"
        return f"It is not exported: {as_code(command)} does that."
    return paragraphs(
        "In this folder, with an image `photo.jpg` in it. A model takes uint8 images, any number of one size, grey or "
        "RGB: n x channels x height x width, of values 0 to 255. It fits them to its own size and normalises them "
        "itself. `read_image` prepares an image file as in training: upright by its EXIF, of an animation the first "
        "frame, 16 bits scaled to 8, transparent parts on white.",
        _pixels(model),
        *(way(shipment) for way in (_onnx, _program, _half)),
        _weights(shipment, any(is_custom(member.config.model) for member in model.info.members)),
    )  # fmt: skip


def _pixels(model: ClassifierResults) -> str:
    """How the data's published pixels became 0 to 255, where they are others."""
    note = pixels_of_data(model.data.origin)
    return f"**Pixels of the data itself:** {note}. Images of another range are answered wrongly." if note else ""


def _onnx(shipment: ExportRecord) -> str:
    best = shipment.fastest_onnx
    if best is None:
        return ""
    file = shlex.quote(best.file)
    others = [artefact for artefact in shipment.artefacts if artefact.format in ONNX_FORMATS and artefact is not best]
    same = "".join(f"; {as_code(artefact.file)} runs the same way" for artefact in others)
    return paragraphs(
        f"**{best.format}**{_mark(best, shipment)}, by onnxruntime, numpy and Pillow{same}:",
        as_code_block(onnx_code(best.file), "python"),
        "or without a line of code, where this project is installed: on images, or as a service for them:",
        as_code_block(f"searchspace predict {file} photo.jpg\nsearchspace serve {file}", "bash"),
    )


def _program(shipment: ExportRecord) -> str:
    shipped = shipment.find("pt2")
    if shipped is None:
        return ""
    said = f"**pt2**{_mark(shipped, shipment)}, by torch, without this project's code:"
    return paragraphs(said, as_code_block(program_code(shipped.file), "python"))


def _half(shipment: ExportRecord) -> str:
    shipped = shipment.find("pt2-half")
    if shipped is None:
        return ""
    said = f"**pt2-half**{_mark(shipped, shipment)}, which computes in float16, by torch on a CUDA GPU:"
    return paragraphs(said, as_code_block(program_code(shipped.file, "cuda"), "python"))


def _weights(shipment: ExportRecord, own_code: bool) -> str:
    said = (
        f"**{as_markdown(shipment.artefacts[0].file)}** with `{MODEL_INFO}`, the weights themselves, by this project:"
    )
    return paragraphs(said, as_code_block(weights_code(own_code), "python"))


def _mark(artefact: ExportedFile, shipment: ExportRecord) -> str:
    return " (recommended)" if artefact.format == shipment.recommended else ""
