"""Photographs of single characters, pen on paper: `photos-characters` in HCR_DATA.

It is a public set (MIT license) of 2,098 characters of 62 classes: images, and labels.tsv with the columns `file` and `label`.
The first, third, ... of its lines are for choosing by hand, the others for measuring.
"""

import csv

import numpy as np
from PIL import Image

from hcrlib.core import paths
from hcrlib.core.errors import DataError

NAME = "photos-characters"


def photographs(start=0):
    """Return [(label, uint8 (h, w, 3))] of every second photograph, from the `start`-th on. DataError if there are none."""
    folder = paths.data_root() and paths.data_root() / NAME
    if not folder or not (folder / "labels.tsv").is_file():
        hint = f"Put images and a labels.tsv, with the columns file and label, into HCR_DATA/{NAME}"
        raise DataError(f"The photographs {NAME} are not on this machine", hint=hint)
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(row["label"], np.asarray(Image.open(folder / row["file"]).convert("RGB"))) for row in rows[start::2]]
