"""Datasets: `load_dataset` and the functions of `hcr data`. To add one: a row in catalog.py, a dataset.yml or a plug-in."""

from hcrlib.core import plugins
from hcrlib.datasets import font_lines, iam, lines, synthetic  # noqa: F401 - they register datasets in TEXTS
from hcrlib.datasets.base import SIDE, Dataset, Split, check_content
from hcrlib.datasets.importers import Imported, import_file
from hcrlib.datasets.inventory import describe, fetch, verify
from hcrlib.datasets.loading import (
    beside,
    dataset_names,
    frame_of,
    is_own,
    is_pinned,
    is_text,
    load,
    load_dataset,
    load_text,
    names,
    parts_of,
    resolve,
    text_names,
)
from hcrlib.datasets.preview import show
from hcrlib.datasets.splits import cut_validation, stratified_take
from hcrlib.datasets.text import TEXTS, TextDataset

__all__ = [
    "SIDE",
    "TEXTS",
    "Dataset",
    "Imported",
    "Split",
    "TextDataset",
    "beside",
    "check_content",
    "cut_validation",
    "dataset_names",
    "describe",
    "fetch",
    "frame_of",
    "import_file",
    "is_own",
    "is_pinned",
    "is_text",
    "load",
    "load_dataset",
    "load_text",
    "names",
    "parts_of",
    "resolve",
    "show",
    "stratified_take",
    "text_names",
    "verify",
]

plugins.load("hcrlib.datasets")
