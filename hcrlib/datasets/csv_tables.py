"""CSV files of images: the label first, then 784 pixels, one image a row, with or without a header."""

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets.base import SIDE

PIXELS = SIDE * SIDE


def read_csv(path):
    """Read (labels, images): a list of n texts as written, and uint8 (n, 28, 28).

    DataError if a row does not have 784 pixels, or a pixel is not an integer in 0..255.
    """
    labels = []
    try:
        with path.open(encoding="utf-8-sig") as rows:
            images = np.loadtxt(_pixels(rows, labels), np.uint8, delimiter=",", ndmin=2)
    except (OSError, ValueError, OverflowError) as error:
        expected = "a label and 784 pixels per row"
        raise DataError(f"Invalid CSV of images: {error}", where=path, expected=expected) from error
    if images.shape[1:] != (PIXELS,):
        raise DataError("The rows do not have 784 pixels", where=path, expected=PIXELS, got=images.shape[1])
    return labels, images.reshape(-1, SIDE, SIDE)


def _pixels(rows, labels):
    """Yield the rows without a header and without their labels, which are appended to the list."""
    for number, row in enumerate(rows):
        label, comma, pixels = row.strip().partition(",")
        if number == 0 and not pixels.split(",")[0].strip().isdigit():
            continue
        if not comma and label:
            raise ValueError(f"line {number + 1} has no pixels")
        if label:
            labels.append(label.strip('" '))
            yield pixels
    if not labels:
        raise ValueError("it contains no images")
