"""Datasets: `load_dataset`, and what stands behind `hcr data`. To add one: a row in catalog.py, a dataset.yml, or a plug-in."""

from hcrlib.core import plugins
from hcrlib.datasets.base import SIDE, Dataset, Split, check_content
from hcrlib.datasets.importers import Imported, import_file
from hcrlib.datasets.inventory import dataset_names, describe, fetch, frame_of, load, verify
from hcrlib.datasets.loading import load_dataset
from hcrlib.datasets.preview import show
from hcrlib.datasets.splits import cut_validation, stratified_take
from hcrlib.datasets.text import TEXTS, TextDataset
from hcrlib.datasets.texts import is_text, load_text, text_names

__all__ = [
    "SIDE",
    "TEXTS",
    "Dataset",
    "Imported",
    "Split",
    "TextDataset",
    "check_content",
    "cut_validation",
    "dataset_names",
    "describe",
    "fetch",
    "frame_of",
    "import_file",
    "is_text",
    "load",
    "load_dataset",
    "load_text",
    "show",
    "stratified_take",
    "text_names",
    "verify",
]

plugins.load("hcrlib.datasets")
