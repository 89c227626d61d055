"""From a name to a Dataset."""

from pathlib import Path

from hcrlib.core import paths
from hcrlib.datasets.base import Dataset, content_sha256, parted
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.custom import load_custom
from hcrlib.datasets.lite import load_lite
from hcrlib.datasets.official import load_embedded, load_official
from hcrlib.datasets.splits import cut_validation

LOADERS = {"embedded": load_embedded, "official": load_official, "lite": load_lite}


def load_dataset(name, *, val_fraction=0.1, val_seed=0):
    """A Dataset: .train, .val and .test, each with .images uint8 (n, 28, 28), upright, ink 255, and .labels int64 (n,).

    name: one of `dataset_names()`, or the path of a folder with a `dataset.yml`, or of that file. val_fraction: share
    of the published training split that becomes validation, stratified, chosen by val_seed; the test split is never
    touched. ConfigError for an unknown name, with a suggestion; DataError where files are missing, damaged or not the
    official ones.
    """
    if str(name) not in DATASETS.names() and _is_path(name):
        return _cut(load_custom(paths.here(name)), val_fraction, val_seed)
    entry = DATASETS.get(str(name))
    return _cut((entry.load or LOADERS[entry.kind])(entry), val_fraction, val_seed)


def _is_path(name):
    path = Path(name)
    return len(path.parts) > 1 or path.suffix in (".yml", ".yaml") or (path / "dataset.yml").is_file()


def _cut(whole, val_fraction, val_seed):
    sha256 = whole.sha256  # before its memory is taken over
    train, val = parted(whole.train, *cut_validation(whole.train.labels, val_fraction, val_seed))
    return Dataset(
        name=whole.name,
        classes=whole.classes,
        train=train,
        val=val,
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
