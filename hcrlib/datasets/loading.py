"""From a name to a Dataset."""

from pathlib import Path

from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.characters import load_embedded, load_official
from hcrlib.datasets.dataset import Dataset, content_sha256
from hcrlib.datasets.lite import load_lite
from hcrlib.datasets.splits import cut_validation
from hcrlib.errors import DataError

LOADERS = {"embedded": load_embedded, "official": load_official, "lite": load_lite}


def load_dataset(name, *, val_fraction=0.1, val_seed=0):
    """A Dataset: .train, .val and .test, each with .images uint8 (n, 28, 28), upright, ink 255, and .labels int64 (n,).

    name: one of `dataset_names()`, or the path of a folder with a `dataset.yml`, or of that file. val_fraction: share of the
    published training split that becomes validation, stratified, chosen by val_seed; the test split is never touched.
    ConfigError for an unknown name, with a suggestion; DataError where files are missing, damaged or not the official ones.
    """
    if is_path(name):
        from hcrlib.datasets.own import load_own

        return _cut(*load_own(Path(name)), val_fraction, val_seed)
    entry = DATASETS.get(name)
    whole = LOADERS[entry.kind](entry)
    return _cut(entry.name, entry.classes, whole, val_fraction, val_seed, entry.sha256)


def is_path(name):
    """Whether this means a folder with a dataset.yml rather than a name of the catalogue."""
    return isinstance(name, Path) or str(name).endswith((".yml", ".yaml")) or "/" in str(name) or "\\" in str(name)


def _cut(name, classes, whole, val_fraction, val_seed, pinned=None):
    train, val = cut_validation(whole.train.labels, val_fraction, val_seed)
    sha256 = content_sha256(whole.train, whole.test, classes=classes)
    if pinned and sha256 != pinned:
        raise DataError(f"The content of {name} is not the pinned one", where=whole.source, expected=pinned, got=sha256)
    return Dataset(
        name=name,
        classes=classes,
        train=whole.train.take(train),
        val=whole.train.take(val),
        test=whole.test,
        sha256=sha256,
        test_sha256=content_sha256(whole.test),
        source=whole.source,
        val_fraction=val_fraction,
        val_seed=val_seed,
        comparable=whole.comparable,
        notes=whole.notes,
        damaged=whole.damaged,
    )
