"""From a name to a dataset: of the catalogue, of the table of words and lines, or the path of a folder of the user's own."""

from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import tsv
from hcrlib.datasets.base import Dataset, content_sha256, parted
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.custom import load_custom
from hcrlib.datasets.lite import load_lite
from hcrlib.datasets.official import load_embedded, load_official
from hcrlib.datasets.splits import cut_validation
from hcrlib.datasets.text import TEXTS

LOADERS = {"embedded": load_embedded, "official": load_official, "lite": load_lite}


def dataset_names():
    """Return the names of the catalogue, of single characters."""
    return DATASETS.names()


def text_names():
    """Return the names of the sets of words and lines."""
    return TEXTS.names()


def names():
    """Return the names of all datasets."""
    return [*DATASETS.names(), *TEXTS.names()]


def load(name, *, val_seed=0):
    """Load a Dataset of characters or a TextDataset of words or lines: see load_dataset and load_text."""
    return (load_text if is_text(name) else load_dataset)(name, val_seed=val_seed)


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


def load_text(name, *, val_seed=0):
    """Load a TextDataset. name: one of `text_names()`, or the path of a folder of images with a TSV of texts.

    Raises ConfigError for an unknown name; DataError if files are missing or invalid.
    """
    if str(name) not in TEXTS.names() and is_text(name):
        return tsv.load_folder(paths.here(name), Path(name).name, val_seed=val_seed)
    return TEXTS.get(str(name)).load(str(name), val_seed)


def is_text(name):
    """Return whether a name is one of words or lines, or the path of a folder with a TSV in it or in its train/.

    A folder with a dataset.yml is of characters.
    """
    folder = paths.here(name)
    if str(name) in TEXTS.names():
        return True
    if not folder.is_dir() or (folder / "dataset.yml").is_file():
        return False
    return any(any(place.glob("*.tsv")) for place in (folder, folder / "train"))


def is_own(path):
    """Return whether a path is that of the user's own dataset: a dataset.yml, a folder with one, or one with a TSV."""
    path = Path(path)
    described = path.is_file() if path.suffix in (".yml", ".yaml") else (path / "dataset.yml").is_file()
    return described or is_text(path)


def is_pinned(name):
    """Return whether the content of a dataset is fixed by its name, so that it need not be hashed to be known."""
    return name in DATASETS.names() or (name in TEXTS.names() and bool(TEXTS.get(name).characters))


def resolve(name):
    """Return a name of a dataset as it is, or the absolute path of the user's own, relative to the current or project folder.

    Raises ConfigError, with a suggestion, if there is no such dataset.
    """
    if name in names() or paths.here(name) != Path(str(name)):
        return name
    for path in (Path(str(name)), paths.project_root() / str(name)):
        if is_own(path):
            return str(path.resolve())
    if len(Path(str(name)).parts) > 1 or Path(str(name)).exists():
        hint = "Your own data is named by the folder that holds its dataset.yml, or a TSV of the texts of lines"
        raise ConfigError("There is no dataset here", where=name, expected="a dataset.yml or a *.tsv", hint=hint)
    raise ConfigError(f"There is no dataset '{name}'", hint=did_you_mean(name, names()))


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
