"""The data sets of `bench_budget.py`, as image folders of `train`, `val` and `test`, the same for every way."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.subset import SEED, write_subset

TRAIN, VAL = 4250, 750
"""Images of the cuts of large sets: 5,000 in all."""
VAL_SHARE = 0.15
"""Share of the images for training that validate, where a set has no third part."""
MOST, LEAST = 400, 20
"""Training images of the most and of the least frequent class of the unbalanced set; those between fall in powers."""
FEW = {"train": 12, "val": 4}
"""Images of a class of the set that has 16."""
PHOTOGRAPHS = ("hymenoptera", "cifar10")
"""Sets of photographs, for which the goals ask more."""
SETS = ("hymenoptera", "cifar10", "fashion", "unbalanced", "few")


def write_set(name: str, sources: Mapping[str, str], test: int, root: Path) -> Path:
    """Write one of `SETS` below `root`, unless it is there, and return its folder.

    `sources` are folders or names by set; `unbalanced` and `few` are made from `cifar10`, else from `fashion`. `test`
    images are kept of a large set's test part. Raises KeyError where the source is not given.
    """
    folder = root / name
    if (folder / "complete").exists():
        return folder / "images"
    shutil.rmtree(folder, ignore_errors=True)
    images = folder / "images"
    if name == "hymenoptera":
        split_folder(Path(sources[name]), images)
    else:
        made = name in {"unbalanced", "few"}
        origin = sources["cifar10" if "cifar10" in sources else "fashion"] if made else sources[name]
        write_subset(origin, counts_of(name, test), images)
    (folder / "complete").touch()
    return images


def counts_of(name: str, test: int, classes: int = 10) -> dict[str, int | Sequence[int]]:
    """Images of each part of a cut, in all or by class."""
    if name == "few":
        return {part: count * classes for part, count in FEW.items()} | {"test": test}
    if name == "unbalanced":
        train = [round(MOST * (LEAST / MOST) ** (label / (classes - 1))) for label in range(classes)]
        return {"train": train, "val": [max(2, round(VAL_SHARE * count)) for count in train], "test": test}
    return {"train": TRAIN, "val": VAL, "test": test}


def split_folder(source: Path, target: Path) -> None:
    """Copy a set of `train` and `val`: its `val` becomes the test part, and a share of each class of `train` val."""
    rng = np.random.default_rng(SEED)
    for label in sorted(path.name for path in (source / "train").iterdir()):
        files = sorted((source / "train" / label).iterdir())
        chosen = {int(row) for row in rng.permutation(len(files))[: round(VAL_SHARE * len(files))]}
        parts = {
            "train": [f for n, f in enumerate(files) if n not in chosen],
            "val": [files[n] for n in sorted(chosen)],
        }
        for part, own in (parts | {"test": sorted((source / "val" / label).iterdir())}).items():
            (target / part / label).mkdir(parents=True)
            for file in own:
                shutil.copyfile(file, target / part / label / file.name)
