"""What a dataset is called, and names that commands share with `hcrlib.documents`, which they import only to read pages."""

import functools
from pathlib import PurePath

LINES_MODEL = "best-lines"  # of the zoo, reads joined writing
YAML = ".yml", ".yaml"  # suffixes
RAPIDOCR = "rapidocr"  # a third-party network, the package and the recognizer


@functools.lru_cache
def dataset_name(dataset: str) -> str:
    """Return what a dataset is called everywhere: its name in the catalog, or that of the folder of your own data."""
    if "+" in dataset and all(pieces := dataset.split("+")):  # a mixture: see hcrlib.datasets.mixture
        return "+".join(dataset_name(piece) for piece in pieces)
    path = PurePath(dataset)
    return path.parent.name if path.name == "dataset.yml" else path.name
