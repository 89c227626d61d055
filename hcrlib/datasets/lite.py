"""The lite sets: real EMNIST images for laptops, built by fixed recipes from the official ByClass and ByMerge test files.

ByClass and ByMerge split the same 814,255 images in two ways. P, the ByClass test images that do not occur in the
ByMerge test, therefore belong to ByMerge's training part: training on P and testing on the ByMerge test is fair.
Whoever has NIST's archive (562 MB) needs no more than its two test parts (58 MB), and for emnist-mnist-lite that of
EMNIST-MNIST as well. An image is told from another by its 784 pixels; each file holds no image twice.
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
AGAIN = "Delete it: it will be built again"

# From a class of ByClass, or of ByMerge, to one of ByMerge, or of Letters; -1 where there is none.
TO_BYMERGE = np.array([BYMERGE.index(c if c in BYMERGE else c.upper()) for c in BYCLASS])
TO_LETTERS = np.array([LETTERS.index(c.upper()) if c.isalpha() else -1 for c in BYCLASS])
MERGED_TO_LETTERS = np.array([LETTERS.index(c.upper()) if c.isalpha() else -1 for c in BYMERGE])


def load_lite(entry):
    """The Published of a lite set: built from its official files in seconds the first time, then read from the cache.

    DataError where a file is missing or wrong, or where what was built or cached is not the pinned content.
    """
    path = paths.cache_root() / "built" / f"{entry.name}.npz"
    if path.exists():
        arrays = official_files.read_npz(path, ARRAYS, AGAIN)
        return _whole(entry, Split(*arrays[:2]), Split(*arrays[2:]), "cache").check(entry.sha256, path, AGAIN)
    train, test = RECIPES[entry.name](entry)
    whole = _whole(entry, train, test, "built from the official test files")
    whole.check(entry.sha256, "built from the official test files", "This is a fault of the program: please report it")
    arrays = train.images, train.labels, test.images, test.labels
    official_files.write_npz(path, **dict(zip(ARRAYS, arrays, strict=True)))
    return whole


def bymerge(entry):
    """Train: P, labels merged. Test: the official ByMerge test."""
    p, test = _p_and_bymerge()
    return Split(p.images, TO_BYMERGE[p.labels]), test


def balanced(entry):
    """333 a class from P, 400 a class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_BYMERGE, 333), _per_class(entry, test, np.arange(len(BYMERGE)), 400)


def letters(entry):
    """Both cases of a letter are one class: 720 a class from P, 800 a class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_LETTERS, 720), _per_class(entry, test, MERGED_TO_LETTERS, 800)


def digits(entry):
    """4,400 a class from P, 4,000 a class from the ByMerge test."""
    p, test = _p_and_bymerge()
    return _per_class(entry, p, TO_BYMERGE, 4400), _per_class(entry, test, np.arange(len(BYMERGE)), 4000)


def mnist(entry):
    """Train: 6,000 a class from P and the ByMerge test, without the images of the test. Test: the EMNIST-MNIST test."""
    p, merged = _p_and_bymerge()
    test = _test_of("emnist-mnist")
    pool = Split(np.concatenate([p.images, merged.images]), np.concatenate([TO_BYMERGE[p.labels], merged.labels]))
    pool = pool.take(np.flatnonzero(pool.labels < N_DIGITS))
    return _per_class(entry, _without(pool, test), np.arange(N_DIGITS), 6000), test


def byclass(entry):
    """The ByClass test file, split again: 100,000 to train on and 16,323 to test, each class in its proportion."""
    both = _test_of("emnist-byclass")
    test = stratified_take(both.labels, 16_323, SEED, entry.name)
    return both.take(np.setdiff1d(np.arange(len(both)), test)), both.take(test)


RECIPES = {f"emnist-{recipe.__name__}-lite": recipe for recipe in (bymerge, balanced, letters, digits, mnist, byclass)}


def _whole(entry, train, test, source):
    return Published(entry.name, entry.classes, train, test, source, entry.comparable, entry.traps)


def _p_and_bymerge():
    test = _test_of("emnist-bymerge")
    p = _without(_test_of("emnist-byclass"), test)
    if len(p) != P_IMAGES:
        raise DataError(
            "The ByClass and ByMerge test files do not go together", expected=f"{P_IMAGES} images", got=len(p)
        )
    return p, test


def _test_of(name):
    return load_part(DATASETS.get(name), "test")[0]


def _without(split, other):
    """The images of split that do not occur in other, in their order."""
    seen = set(map(bytes, other.images))
    return split.take([i for i, image in enumerate(split.images) if bytes(image) not in seen])


def _per_class(entry, split, to_class, count):
    """`count` images of every class of entry; to_class maps the split's labels to the entry's, -1 to none."""
    labels = to_class[split.labels]
    wanted = np.flatnonzero((labels >= 0) & (labels < len(entry.classes)))
    chosen = wanted[take_per_class(labels[wanted], count, len(entry.classes), SEED, entry.name)]
    return Split(split.images[chosen], labels[chosen])
