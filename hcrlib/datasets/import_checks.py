"""Check that arrays are a part of an official dataset: by their hashes, else by counts, labels, classes and orientation."""

import hashlib

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets import checks, orientation
from hcrlib.datasets.base import to_split
from hcrlib.datasets.idx import to_idx

PARTS = "train", "test"


def checked_part(entry, part, images, labels, origin):
    """Return (entry, part, images, labels, origin, notes, whether they are the official ones) of a part that is plausible.

    Raises DataError otherwise.
    """
    from hcrlib.runtime.arrays import to_images

    try:
        images, notes = to_images(images)
    except ValueError as error:
        raise DataError(f"The images cannot be used: {error}", where=origin) from error
    labels, shifted = _as_stored(entry, labels, origin)
    split = to_split(entry, images.copy(), labels, origin)
    notes = [note[:1].upper() + note[1:] for note in [*notes, *shifted]]
    pinned = [file.content for file in entry.pair(part)]
    if _digests(images, labels) != pinned:
        seen = orientation.look(split.images, split.labels, entry.classes)
        if seen.is_changed:
            notes += [str(finding) for finding in checks.of_orientation(seen, is_own=False)]
            images = orientation.turned(split.images, seen)
            images = np.ascontiguousarray(images.transpose(0, 2, 1)) if entry.transposed else images
    digests = _digests(images, labels)
    if digests != pinned:
        if all(file.content for file in entry.files):
            wanted = f"sha256 {pinned[0]} (images) and {pinned[1]} (labels)"
            raise DataError(f"This is not {entry.name}", where=origin, expected=wanted, got=" and ".join(digests))
        _check_plausible(entry, part, split, origin)
    return entry, part, images, labels, origin, notes, digests == pinned


def _as_stored(entry, labels, where):
    """Return (uint8 labels as the official files store them, notes): from 1 for letters, numbers for names of classes."""
    labels, notes = np.ravel(labels), []
    if labels.dtype.kind in "US":
        index = {name: number + entry.first_label for number, name in enumerate(entry.classes)}
        try:
            numbers = np.array([float(label) for label in labels])
        except ValueError:
            unknown = [label for label in labels if label not in index]
            if unknown:
                expected = f"integers, or {', '.join(entry.classes)}"
                raise DataError(
                    "The labels are not integers", where=where, expected=expected, got=repr(unknown[0])
                ) from None
            numbers, notes = np.array([index[label] for label in labels], float), ["labels are the names of classes"]
        labels = numbers
    if not len(labels) or not np.isfinite(labels).all() or (labels != np.floor(labels)).any():
        raise DataError("The labels are not integers", where=where)
    low, high = int(labels.min()), int(labels.max())
    if entry.first_label == 1 and (low, high) == (0, len(entry.classes) - 1):
        labels, notes = labels + 1, [*notes, "labels start at 0, in the official files at 1"]
    if not 0 <= low <= high <= 255 or high >= len(entry.classes) + entry.first_label:
        expected = f"{entry.first_label} to {len(entry.classes) + entry.first_label - 1}"
        raise DataError("Labels are out of range", where=where, expected=expected, got=f"{low} to {high}")
    return labels.astype(np.uint8), notes


def _digests(images, labels):
    return [hashlib.sha256(to_idx(array)).hexdigest() for array in (images, labels)]


def _check_plausible(entry, part, split, origin):
    counts = [release[PARTS.index(part)] for release in entry.releases]
    if len(split) not in counts:
        what, wanted = f"This is not the {part} part of {entry.name}", " or ".join(f"{n:,} images" for n in counts)
        raise DataError(what, where=origin, expected=wanted, got=f"{len(split):,}")
    absent = np.setdiff1d(np.arange(len(entry.classes)), split.labels)
    if len(absent):
        what = f"No image of class '{entry.classes[absent[0]]}' in this file"
        n = len(entry.classes)
        raise DataError(what, where=origin, expected=f"{n} classes", got=n - len(absent))
