"""A data source of one's own: a CSV file with a label, then a column for each pixel of a square grey image."""

import math

import numpy as np


def pixels(path):
    """Images (n, side, side), uint8, and the name of each image's class."""
    table = np.loadtxt(path, np.int64, delimiter=",", skiprows=1, ndmin=2)
    side = math.isqrt(table.shape[1] - 1)
    images = table[:, 1:].astype(np.uint8).reshape(-1, side, side)
    return images, [f"digit {label}" for label in table[:, 0]]
