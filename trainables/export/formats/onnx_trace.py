"""Traces modules to ONNX models."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from trainables.export.formats.graph_cleanup import strip_metadata

OPSET = 18


def trace_module(
    module: nn.Module, examples: Sequence[torch.Tensor], given: Sequence[str], found: Sequence[str],
    free: tuple[int, ...],
) -> Any:  # fmt: skip
    """ONNX model of `module` with the given input and output names; each input's axes in `free` are dynamic."""
    axes = dict.fromkeys(free, torch.export.Dim.DYNAMIC)
    with _quiet():
        program: Any = torch.onnx.export(
            _Unpacked(module).eval(), (tuple(examples),), dynamo=True, opset_version=OPSET, input_names=list(given),
            output_names=list(found), dynamic_shapes=((axes,) * len(examples),),
        )  # fmt: skip
    return strip_metadata(program.model_proto)


class _Unpacked(nn.Module):
    """A module that takes its inputs as one tuple."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: tuple[torch.Tensor, ...]) -> Any:
        return self.module(*images)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which prints, logs and warns."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
