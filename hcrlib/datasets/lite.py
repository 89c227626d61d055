"""The lite datasets: real EMNIST images for laptops, built by fixed recipes from the official ByClass and ByMerge test files.

ByClass and ByMerge split the same 814,255 images in two ways. P, the ByClass test images that do not occur in the
ByMerge test, therefore belong to ByMerge's training part: training on P and testing on the ByMerge test is fair.
Of NIST's archive (562 MB) only the two test parts (58 MB) are needed, and for emnist-mnist-lite also that of
EMNIST-MNIST. Images are identified by their 784 pixels; no file contains an image twice.
"""

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.datasets import official_files
from hcrlib.datasets.base import Published, Split
from hcrlib.datasets.catalog import BYCLASS, BYMERGE, DATASETS, LETTERS
from hcrlib.datasets.official import load_part
from hcrlib.datasets.splits import stratified_take, take_per_class

P_IMAGES = 99_845
N_DIGITS = 10
SEED = 0
ARRAYS = "train_images", "train_labels", "test_images", "test_labels"  # of a built set in the cache
AGAIN = "Delete it; it will be built again"

# From classes of ByClass or ByMerge to classes of ByMerge or Letters; -1: none.
TO_BYMERGE = np.array([BYMERGE.index(c if c in BYMERGE else c.upper()) for c in BYCLASS])
TO_LETTERS = np.array([LETTERS.index(c.upper()) if c.isalpha() else -1 for c in BYCLASS])
MERGED_TO_LETTERS = np.array([LETTERS.index(c.upper()) if c.isalpha() else -1 for c in BYMERGE])


def load_lite(entry):
    """Build a lite dataset from its official files (seconds, the first time) or read it from the cache, as a Published.

    DataError if a file is missing or wrong, or if the content differs from the pinned one.
    """
    path = paths.cache_root() / "built" / f"{entry.name}.npz"
    if path.exists():
        arrays = official_files.read_npz(path, ARRAYS, AGAIN)
        return _whole(entry, Split(*arrays[:2]), Split(*arrays[2:]), "cache").check(entry.sha256, path, AGAIN)
    train, test = RECIPES[entry.name](entry)
    whole = _whole(entry, train, test, "built from the official test files")
    whole.check(entry.sha256, "built from the official test files", "This is a bug: please report it")
    arrays = train.images, train.labels, test.images, test.labels
    official_files.write_npz(path, **dict(zip(ARRAYS, arrays, strict=True)))
    return whole


def bymerge(entry):
    """Train: P, labels merged. Test: the official ByMerge test."""
    p, test = _p_and_bymerge()
    return Split(p.images, TO_BYMERGE[p.labels]), test


def balanced(entry):
    """333 per class from P, 400 per class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_BYMERGE, 333), _per_class(entry, test, np.arange(len(BYMERGE)), 400)


def letters(entry):
    """Both cases of a letter are one class: 720 per class from P, 800 per class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_LETTERS, 720), _per_class(entry, test, MERGED_TO_LETTERS, 800)


def digits(entry):
    """4,400 per class from P, 4,000 per class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_BYMERGE, 4400), _per_class(entry, test, np.arange(len(BYMERGE)), 4000)


def mnist(entry):
    """Train: 6,000 per class from P and the ByMerge test, without the images of the test. Test: the EMNIST-MNIST test."""
    p, merged = _p_and_bymerge()
    test = _test_of("emnist-mnist")
    pool = Split(np.concatenate([p.images, merged.images]), np.concatenate([TO_BYMERGE[p.labels], merged.labels]))
    pool = pool.take(np.flatnonzero(pool.labels < N_DIGITS))
    return _per_class(entry, _without(pool, test), np.arange(N_DIGITS), 6000), test


def byclass(entry):
    """Return the ByClass test file, split again: 100,000 to train on and 16,323 to test, each class in its proportion."""
    both = _test_of("emnist-byclass")
    test = stratified_take(both.labels, 16_323, SEED, entry.name)
    return both.take(np.setdiff1d(np.arange(len(both)), test)), both.take(test)


RECIPES = {f"emnist-{recipe.__name__}-lite": recipe for recipe in (bymerge, balanced, letters, digits, mnist, byclass)}


def _whole(entry, train, test, source):
    return Published(entry.name, entry.classes, train, test, source, entry.comparable, entry.caveats)


def _p_and_bymerge():
    test = _test_of("emnist-bymerge")
    p = _without(_test_of("emnist-byclass"), test)
    if len(p) != P_IMAGES:
        raise DataError("The ByClass and ByMerge test files do not match", expected=f"{P_IMAGES} images", got=len(p))
    return p, test


def _test_of(name):
    return load_part(DATASETS.get(name), "test")[0]


def _without(split, other):
    """Return the images of split that do not occur in other, in their order."""
    seen = set(map(bytes, other.images))
    return split.take([i for i, image in enumerate(split.images) if bytes(image) not in seen])


def _per_class(entry, split, to_class, count):
    """Return `count` images per class of entry; to_class maps the labels of split to those of entry, or to -1."""
    labels = to_class[split.labels]
    wanted = np.flatnonzero((labels >= 0) & (labels < len(entry.classes)))
    chosen = wanted[take_per_class(labels[wanted], count, len(entry.classes), SEED, entry.name)]
    return Split(split.images[chosen], labels[chosen])
