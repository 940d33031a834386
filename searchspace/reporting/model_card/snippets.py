"""Lines of code that run a model, as the card, the report and the docs show them.

They need numpy, Pillow and the runtime of the file, and prepare an image as training and `predict` do
(`trainables.data.decoding.pixels`).
"""

import json

READ_IMAGE = """\
def read_image(file):  # as in training: 1 x 3 x height x width, 0 to 255
    image = ImageOps.exif_transpose(Image.open(file))  # upright
    if image.mode[0] in "IF":  # 16 bits are scaled to 8
        pixels = numpy.asarray(image)
        assert image.mode != "F" and pixels.min() >= 0 and pixels.max() < 65536, "pixels of unknown scale"
        pixels = numpy.where(pixels == image.info.get("transparency"), 65535, pixels)
        image = Image.fromarray(numpy.rint(pixels / 257).astype("uint8"))
    image = image.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)  # transparent parts are white
    return numpy.array(image.convert("RGB")).transpose(2, 0, 1)[None]
"""


def onnx_code(file: str) -> str:
    """Runs an ONNX file by onnxruntime."""
    return f"""\
import json, numpy, onnxruntime
from PIL import Image, ImageOps


{READ_IMAGE}

model = onnxruntime.InferenceSession({json.dumps(file)})
(probabilities,) = model.run(["probabilities"], {{"images": read_image("photo.jpg")}})[0]
classes = json.loads(model.get_modelmeta().custom_metadata_map["classes"])
print(classes[probabilities.argmax()], probabilities.max())"""


def program_code(file: str, device: str = "cpu") -> str:
    """Runs a `.pt2` file by torch, on the device that it was exported for."""
    there = "" if device == "cpu" else f'.to("{device}")'
    return f"""\
import json, numpy, torch
from PIL import Image, ImageOps


{READ_IMAGE}

metadata = {{"metadata.json": ""}}
model = torch.export.load({json.dumps(file)}, extra_files=metadata).module()
logits, (probabilities,) = model(torch.from_numpy(read_image("photo.jpg")){there})
classes = json.loads(json.loads(metadata["metadata.json"])["classes"])
print(classes[probabilities.argmax()], probabilities.max().item())"""


def weights_code(own_code: bool = False) -> str:
    """Runs the weights by this project, to train on or to change; with `own_code`, of a network of the user's own."""
    imported, registered = "", ""
    if own_code:
        imported = "from searchspace.own_code.resumed_code import register_code_of\n"
        registered = 'register_code_of(pathlib.Path(".."))  # runs the network\'s own code, which the search kept\n'
    return f"""\
import pathlib, torch
{imported}from trainables.export.weights import load_image, read_classifier

{registered}model, card = read_classifier(pathlib.Path("."))
with torch.inference_mode():
    logits = model(load_image(pathlib.Path("photo.jpg"), card))
print(card.data.classes[logits.argmax()], logits.softmax(1).max().item())"""


def request_code(address: str) -> str:
    """Asks MLflow's server at `address`; `read_image` is that of the lines that run an ONNX file."""
    return f"""\
import requests

body = {{"inputs": {{"images": read_image("photo.jpg").tolist()}}}}
answer = requests.post({json.dumps(f"{address}/invocations")}, json=body)
print(answer.json()["predictions"]["probabilities"])"""
