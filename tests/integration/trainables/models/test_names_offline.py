"""Names of models are checked without a network."""

import subprocess
import sys

from trainables.models.efficientnet_lite import PACKAGED


def test_the_names_are_checked_without_a_network():
    blocked = "import socket; socket.getaddrinfo = socket.create_connection = None\n"
    check = "from trainables.models.model_registry import check_model\nfor name in {names}: check_model(name)"
    names = ["torchvision/squeezenet1_1", "resnet18.a1_in1k", *PACKAGED, "convnet"]
    subprocess.run([sys.executable, "-c", blocked + check.format(names=names)], check=True)
