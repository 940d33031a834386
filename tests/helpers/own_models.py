"""Networks of one's own, written to files and registered."""

from pathlib import Path

from trainables.custom.collect import collect
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register

NET = """
from torch import nn
from searchspace import Choice, Float, Int, hyperparameters
import side

@hyperparameters(heads=Choice(2, 4), blocks=Int(1, 3), ratio=Float(0.1, 0.9))
def build(data, *, heads, blocks=2, ratio):
    '''A line of heads.'''
    layers = [nn.Flatten(), nn.Linear(data.channels * data.side**2, 8 * heads), nn.ReLU(), nn.Dropout(ratio)]
    for _ in range(blocks):
        layers += [nn.Linear(8 * heads, 8 * heads), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(8 * heads, len(data.classes)))
"""
MODEL = "custom/my_net.build"


def write_net(folder: Path, text: str = NET) -> str:
    """Write the network and its neighbour; returns its reference."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my_net.py").write_text(text)
    (folder / "side.py").write_text("")
    return f"{folder}/my_net.py:build"


def register_net(folder: Path, text: str = NET) -> CustomCode:
    """Write it, collect it and register it."""
    code = collect([("model", write_net(folder, text))])
    register(code)
    return code
