"""Closing up a store: rows whose image is bad are taken out, in place."""

from pathlib import Path

import numpy as np

STEP = 256
"""Images moved at a time."""


def take_out(folder: Path, rows: list[int]) -> None:
    """Take `rows` out of `images.npy` and `labels.npy` in `folder`; those behind them move up.

    Cut at any moment, it leaves a file that the next build finds to be of another shape, or its pixels not to be those
    recorded, and so fills again.
    """
    if not rows:
        return
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", np.delete(labels, rows))
    file = folder / "images.npy"
    images = np.lib.format.open_memmap(file, mode="r+")
    kept = np.delete(np.arange(len(images)), rows)
    for first in range(min(rows), len(kept), STEP):
        moved = kept[first : first + STEP]
        images[first : first + len(moved)] = images[moved]  # the right side is a copy, and never lies further ahead
    images.flush()
    shape, start, size = (len(kept), *images.shape[1:]), images.offset, images[0].nbytes
    del images
    with file.open("r+b") as stream:
        stream.truncate(start + len(kept) * size)
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        assert stream.tell() == start, "numpy leaves room in a header for more rows"
