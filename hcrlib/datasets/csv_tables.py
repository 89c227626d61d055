"""CSV files of images: the label first, then 784 pixels, one image a row, with or without a header."""

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets.base import SIDE

PIXELS = SIDE * SIDE


def read_csv(path):
    """(labels, images): list of n texts as written, and uint8 (n, 28, 28).

    DataError where a row has not 784 pixels or a pixel is no whole number in 0..255.
    """
    labels = []
    try:
        with path.open(encoding="utf-8-sig") as rows:
            images = np.loadtxt(_pixels(rows, labels), np.uint8, delimiter=",", ndmin=2)
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(
            f"This is no CSV of images: {error}", where=path, expected="a label and 784 pixels a row"
        ) from error
    if images.shape[1:] != (PIXELS,):
        raise DataError("The rows have not 784 pixels", where=path, expected=PIXELS, got=images.shape[1])
    return labels, images.reshape(-1, SIDE, SIDE)


def _pixels(rows, labels):
    """The rows without their labels, which go into the list; a header is left out."""
    for number, row in enumerate(rows):
        label, comma, pixels = row.strip().partition(",")
        if number == 0 and not pixels.split(",")[0].strip().isdigit():
            continue
        if not comma and label:
            raise ValueError(f"line {number + 1} holds no pixels")
        if label:
            labels.append(label.strip('" '))
            yield pixels
    if not labels:
        raise ValueError("it holds no images")
