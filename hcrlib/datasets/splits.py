"""Choose images: validation splits, subsets for training, and the pinned selections of the lite datasets.

Every choice is stratified and depends on a seed alone, but for the test part of one's own data: that depends on what its files
are called or hold, and so outlives additions. The random numbers come from a stream that numpy has frozen, and no other
library takes part, so that the same seed selects the same images on every machine and version.
"""

import hashlib

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.core.rng import frozen_rng


def stratified_take(labels, size, seed, purpose):
    """Return the sorted indices, int64 (size,), of `size` images, each class in its proportion by largest remainder.

    labels: int (n,), 0 <= size <= n. Every class keeps at least one image if size is at least the number of classes. The same
    seed and purpose give the same result. ConfigError if size is out of range.
    """
    if not 0 <= size <= len(labels):
        raise ConfigError("Not that many images", expected=f"0 to {len(labels)}", got=size)
    return _first_of_each(labels, _shares(np.bincount(labels), size), _random(labels, seed, purpose))


def take_per_class(labels, count, n_classes, seed, purpose):
    """Return the sorted indices, int64, of `count` images of every class. ConfigError if a class has fewer."""
    counts = np.bincount(labels, minlength=n_classes)
    if counts.min() < count:
        raise ConfigError(f"Class {counts.argmin()} has too few images", expected=f"at least {count}", got=counts.min())
    return _first_of_each(labels, np.full(n_classes, count), _random(labels, seed, purpose))


def cut_validation(labels, fraction, seed):
    """Return (train, val), sorted indices, int64. val: `fraction` of the images, stratified; train keeps every class.

    ConfigError unless 0 <= fraction < 1.
    """
    if not 0 <= fraction < 1:
        raise ConfigError("The share of images for validation is not valid", expected="0 <= share < 1", got=fraction)
    train = stratified_take(labels, len(labels) - round(len(labels) * fraction), seed, "validation")
    return train, np.setdiff1d(np.arange(len(labels)), train)


def cut_test(keys, labels, fraction):
    """Return (rest, part) as `cut_validation` does, by the digests of keys, bytes, one per image, whatever their order.

    Where images are added or removed, few others move between the two.
    """
    size = len(labels) - round(len(labels) * fraction)
    rest = _first_of_each(labels, _shares(np.bincount(labels), size), [*map(digest_key, keys)])
    return rest, np.setdiff1d(np.arange(len(labels)), rest)


def digest_key(content):
    """Return an int to sort by, as good as random, that depends on the content, bytes, alone."""
    return int.from_bytes(hashlib.sha256(content).digest()[:7], "big")


def _shares(counts, size):
    """Return the number of images per class, int64 (k,), which sum to size. Ties go to the lower class."""
    quotas, remainders = np.divmod(counts * size, max(counts.sum(), 1))
    quotas[np.argsort(-remainders, kind="stable")[: size - quotas.sum()]] += 1
    if size >= np.count_nonzero(counts):
        for empty in np.flatnonzero((quotas == 0) & (counts > 0)):
            quotas[quotas.argmax()] -= 1
            quotas[empty] += 1
    return quotas


def _random(labels, seed, purpose):
    return frozen_rng(seed, purpose).random_sample(len(labels))


def _first_of_each(labels, quotas, keys):
    """Return the sorted indices of those quotas[c] images of each class c whose keys are the lowest."""
    order = np.lexsort((keys, labels))
    by_class = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(by_class, by_class)
    return np.sort(order[rank < quotas[by_class]])
