"""Loaded datasets: their types, the checks of every array, and the hashes of their content."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from hcrlib.core.errors import DataError

SIDE = 28
CHUNK = 1024  # images moved at once


@dataclass(frozen=True, eq=False)
class Split:
    """images: uint8 (n, 28, 28), upright, ink 255. labels: int64 (n,), 0-based. Both read-only."""

    images: np.ndarray
    labels: np.ndarray

    def __repr__(self):
        return f"Split({len(self):,} images)"

    def __post_init__(self):
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self):
        return len(self.labels)

    def take(self, indices):
        """Return the Split of the images at these indices, in their order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class DatasetInfo:
    """The common fields of Dataset and TextDataset; train, val and test are of type Split or Lines.

    sha256: of all content. test_sha256: of the test split; results on different test splits are not comparable. source: where
    the data were found. comparable: whether the test split is the official one, so that results compare with published ones.
    notes: what readers of the results should know. damaged: (file, reason) of unreadable images, which are left out.
    """

    name: str
    classes: tuple
    train: object
    val: object
    test: object
    sha256: str
    test_sha256: str
    source: str
    val_fraction: float
    val_seed: int
    comparable: bool
    notes: tuple = ()
    damaged: tuple = ()

    @property
    def n_classes(self):
        """The number of classes."""
        return len(self.classes)

    def summary(self):
        """Return lines of text on what a preview does not show; none unless a subclass has some."""
        return []


class Dataset(DatasetInfo):
    """A dataset of characters with three Splits. sha256: of images, labels and classes, before validation is cut."""


@dataclass(frozen=True, eq=False)
class Published:
    """A dataset as published, before validation is cut: the result of a loader. Fields as in DatasetInfo.

    val: a Split if validation images are given. writers: who wrote each training image, an array, where that is known.
    """

    name: str
    classes: tuple
    train: Split
    test: Split
    source: str
    comparable: bool
    notes: tuple = ()
    damaged: tuple = ()
    val: Split | None = None
    writers: np.ndarray | None = None

    @functools.cached_property
    def sha256(self):
        """The hex SHA-256 of images, labels and classes."""
        val = () if self.val is None else (self.val,)
        return content_sha256(self.train, *val, self.test, classes=self.classes)

    def check(self, pinned, where, hint):
        """Return self; DataError with both hashes unless its content is the pinned one."""
        if self.sha256 != pinned:
            what = f"The content of {self.name} differs from the pinned one"
            raise DataError(what, where=where, expected=f"sha256 {pinned}", got=self.sha256, hint=hint)
        return self


def check_content(images, labels, classes, where=None):
    """Raise DataError unless images are uint8 (n, 28, 28), n > 0, and labels are n integers in 0..len(classes)-1."""
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        wanted, got = f"uint8 (n, {SIDE}, {SIDE})", f"{images.dtype} {images.shape}"
        raise DataError("The images are not 28x28 gray levels", where=where, expected=wanted, got=got)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        found = f"{labels.dtype} {labels.shape}"
        raise DataError("The labels are not a vector of integers", where=where, expected="int (n,)", got=found)
    if len(images) != len(labels):
        wanted, got, hint = f"{len(images)} labels", len(labels), "Check that both files belong to the same split"
        raise DataError("The numbers of labels and images differ", where=where, expected=wanted, got=got, hint=hint)
    if len(labels) == 0:
        raise DataError("There are no images", where=where)
    _check_range(labels, classes, where)


def to_split(entry, images, labels, where=None):
    """Return the upright, 0-based Split of arrays as the files store them.

    images: uint8 (n, 28, 28), transposed in place if writeable; labels: (n,). DataError: counts differ, labels out of range,
    images not 28x28.
    """
    if images.shape[1:] == (SIDE, SIDE) and entry.transposed:
        images = _writeable(images)
        for start in range(0, len(images), CHUNK):
            images[start : start + CHUNK] = images[start : start + CHUNK].transpose(0, 2, 1).copy()
    whole = labels.dtype.kind in "iu" or (labels.dtype.kind == "f" and (labels == np.floor(labels)).all())
    if whole:  # MATLAB stores float64; fractions are rejected below
        labels = labels.astype(np.int64) - entry.first_label
    check_content(images, labels, entry.classes, where)
    return Split(images, labels)


def content_sha256(*splits, classes=()):
    """Return the hex SHA-256 of class names, shapes, images and labels; the same on every machine, from every format."""
    digest = hashlib.sha256("\n".join(classes).encode())
    for split in splits:
        digest.update(f"{split.images.shape}".encode())
        digest.update(np.ascontiguousarray(split.images))
        digest.update(np.ascontiguousarray(split.labels, dtype="<i8"))
    return digest.hexdigest()


def parted(split, rest, others):
    """Return (Split of rest, Split of others), for disjoint sorted indices.

    The first reuses the memory of `split`, which must not be used afterwards: a large dataset is never held twice.
    """
    taken, labels, images = split.take(others), split.labels[rest], _writeable(split.images)
    for start in range(0, len(rest), CHUNK):  # images move to the front: none is overwritten before it has moved
        moved = images[rest[start : start + CHUNK]]
        images[start : start + len(moved)] = moved
    images.flags.writeable = False
    return Split(images[: len(rest)], labels), taken


def _writeable(images):
    """Return the array itself, made writeable, or a copy if its memory is read-only."""
    try:
        images.flags.writeable = True
    except ValueError:
        return images.copy()
    return images


def _check_range(labels, classes, where):
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(outside):
        what, first = f"{len(outside)} of {len(labels)} labels are out of range", outside[0]
        wanted = f"0 to {len(classes) - 1}, one for each of the {len(classes)} classes"
        got, hint = f"{labels[first]} at index {first}", "Check the list of classes and whether labels start at 0 or 1"
        raise DataError(what, where=where, expected=wanted, got=got, hint=hint)
