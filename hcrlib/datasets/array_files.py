"""NumPy's .npz and .npy and MATLAB's .mat files of any version: find the images and labels of each part in them.

The names differ from one to the next: x_train and y_train (Keras), train_images (MedMNIST), training_images, arr_0 and arr_1
(np.savez without names), data and target (scikit-learn), dataset.train.images (NIST). So arrays are told apart by their shape,
and by their names only where several fit.
"""

import math
import re
import zipfile
import zlib

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.core.extras import explained
from hcrlib.datasets.idx import kind_of

HDF = b"\x89HDF"
MAT_HEADER = 512  # bytes before the HDF5 of a .mat file of version 7.3
PARTS = {"train": r"train", "val": r"val|dev", "test": r"test|t10k"}
LABELS = r"label|target|class|(^|[._/])y"
OTHERS = r"writer|mapping|index|idx$|(^|[._/])ids?$|__"
FEWEST_PIXELS = 25


def read_arrays(path):
    """Return {"train": (images, labels), "val": ..., "test": ...} of a file, or {"": (images, labels)} where no part is named.

    images: (n, ...), labels: (n,), decoded if they are one-hot. DataError: damaged, or no images with labels.
    """
    held = {name: array for name, array in _held(path).items() if not re.search(OTHERS, name.lower())}
    parts = {}
    for name, array in held.items():
        part = next((part for part, words in PARTS.items() if re.search(words, name.lower())), "")
        parts.setdefault(part, {})[name] = array
    found = {part: pair for part, arrays in parts.items() if (pair := _pair(arrays))}
    if not found:
        got = ", ".join(f"{name} {array.shape}" for name, array in held.items()) or "nothing of the kind"
        raise DataError(
            "There are no images with labels", where=path, expected="x_train, y_train, or images, labels", got=got
        )
    return found


def read_array(path):
    """Return the array of a .npy, or the only one of a .npz. DataError if there are several."""
    held = _held(path)
    if len(held) != 1:
        raise DataError("It is not clear which array is meant", where=path, expected="one array", got=", ".join(held))
    return next(iter(held.values()))


def _held(path):
    """Return a dict of the arrays of a file by their names."""
    start = b""
    try:
        with path.open("rb") as source:
            start = source.read(MAT_HEADER + 4)
        if path.suffix.lower() == ".mat":
            return _hdf(path) if HDF in (start[:4], start[MAT_HEADER:]) else _mat(path)
        held = np.load(path, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return {"": held}
        with held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        kind = kind_of(start) if path.is_file() else "no such file"
        hint = "Keras' mnist.npz contains x_train, y_train, x_test and y_test"
        raise DataError(f"These arrays are damaged or missing: {error}", where=path, got=kind, hint=hint) from error


def _mat(path):
    from scipy.io import loadmat

    try:
        return _flat(loadmat(path, simplify_cells=True))
    except Exception as error:  # scipy raises whatever the bytes lead it to
        raise ValueError(f"not a .mat file: {error}") from error


def _flat(held, above=""):
    """Return nested dicts of arrays as one, with names joined by dots."""
    out = {}
    for name, value in held.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{above}{name}.")
        elif isinstance(value, np.ndarray) and value.dtype.kind in "buif":
            out[above + name] = value
    return out


@explained("train")
def _hdf(path):
    """Return the arrays of a .mat file of version 7.3, which is HDF5 with the axes in reverse."""
    import h5py

    held = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: held.update({name: item[()].T}) if isinstance(item, h5py.Dataset) else None)
    return {name.replace("/", "."): array for name, array in held.items() if array.dtype.kind in "buif"}


def _pair(arrays):
    """Return (images, labels) of a dict of arrays, or None."""
    images = {name: array for name, array in arrays.items() if array.ndim > 1 and _pixels(array) >= FEWEST_PIXELS}
    labels = {name: array for name, array in arrays.items() if name not in images and array.ndim in (1, 2)}
    if len(images) > 1:  # one-hot labels of many classes look like images
        hot = {name: array for name, array in images.items() if array.ndim == 2 and re.search(LABELS, name.lower())}
        images, labels = {name: images[name] for name in images if name not in hot}, labels or hot
    if len(labels) > 1:
        labels = {name: labels[name] for name in labels if re.search(LABELS, name.lower())} or labels
    if len(images) != 1 or len(labels) != 1:
        return None
    (image,), (label,) = images.values(), labels.values()
    label = as_vector(label)
    if len(label) != len(image) and image.shape[-1] == len(label):  # an image per column, as MATLAB users have them
        image = np.moveaxis(image, -1, 0)
    return image, label


def as_vector(labels):
    """Return labels, (n,), of a column or row of them, or of one-hot rows; texts of bytes. Others are returned as they are."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.ndim == 2 and 1 in labels.shape:
        return labels.ravel()
    if labels.ndim == 2 and labels.dtype.kind in "buif" and (np.count_nonzero(labels, axis=1) == 1).all():
        return labels.argmax(axis=1)
    return labels


def _pixels(array):
    """Return the number of pixels of an image if the array is of images, a row or a column each."""
    if array.ndim > 2:
        return math.prod(array.shape[1:])
    n, width = array.shape
    return width if math.isqrt(width) ** 2 == width else min(n, width)
