"""A stratified subset of a data set, as an image folder that any tool can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from trainables.data.sources.source_registry import open_source

SEED = 20_261_123


def write_subset(origin: str, counts: Mapping[str, int | Sequence[int]], root: Path) -> Path:
    """Write `counts` images of `train`, `val` and `test` below `root`; returns it.

    A number is shared equally by the classes; a sequence has one for each class, in label order. All
    images come from the source's training part but for `test`, which comes from its test part.
    """
    raw = open_source(origin)
    rng = np.random.default_rng(SEED)
    parts = {split: raw.parts["test" if split == "test" else "train"] for split in counts}
    for label, name in enumerate(raw.classes):
        order = [int(row) for row in rng.permutation(np.flatnonzero(raw.parts["train"].labels == label))]
        tests = [int(row) for row in rng.permutation(np.flatnonzero(parts["test"].labels == label))]
        for split, count in counts.items():
            rows = tests if split == "test" else order
            rest = count // len(raw.classes) if isinstance(count, int) else count[label]
            folder = root / split / name.replace("/", "-")
            folder.mkdir(parents=True)
            for row in [rows.pop() for _ in range(rest)]:
                Image.fromarray(parts[split].decode(row).squeeze()).save(folder / f"{row}.png")
    return root
