"""Tensors of every type, as safetensors files hold them."""

import torch

DTYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)  # fmt: skip


def made(reverse: bool = False) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors of every type and some odd shapes, and metadata of many keys, in one order or the other."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((), (0,), (3,), (2, 3), (1, 2, 3, 5))
    tensors = {
        f"layer.{number}.{kind}".replace("torch.", ""): torch.rand(shape, generator=generator).mul(100).to(kind)
        for kind in DTYPES
        for number, shape in enumerate(shapes)
    }
    metadata = {f"key {number}": f'value "{number}" \n çölored 🙂' for number in range(40)}
    turn = reversed if reverse else iter
    return dict(turn(list(tensors.items()))), dict(turn(list(metadata.items())))
