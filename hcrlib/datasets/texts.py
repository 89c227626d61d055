"""From a name to a TextDataset: of the table of words and lines, or of any folder of pictures with a TSV of texts."""

from pathlib import Path

from hcrlib.core import paths
from hcrlib.datasets import iam, synthetic, tsv  # noqa: F401 - they fill the table
from hcrlib.datasets.text import TEXTS


def text_names():
    """The names of the sets of words and lines."""
    return TEXTS.names()


def load_text(name, *, val_seed=0):
    """A TextDataset. name: one of `text_names()`, or the path of a folder of pictures with a TSV of texts.

    ConfigError for an unknown name; DataError where files are missing or not what they should be.
    """
    if str(name) not in TEXTS.names() and is_text(name):
        return tsv.load_folder(paths.here(name), Path(name).name, val_seed=val_seed)
    return TEXTS.get(str(name)).load(str(name), val_seed)


def is_text(name):
    """Whether that name is one of words or lines, or the path of a folder with a TSV, or with a `train` folder that has one.

    A folder with a dataset.yml is of characters.
    """
    folder = paths.here(name)
    if str(name) in TEXTS.names():
        return True
    if not folder.is_dir() or (folder / "dataset.yml").is_file():
        return False
    return any(any(place.glob("*.tsv")) for place in (folder, folder / "train"))
