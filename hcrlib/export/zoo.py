"""Keep small trained models: results/zoo/<name>/ holds model/, record.json and README.md, the model card.

A model in ONNX is a bundle without code: it has golden answers and a manifest, and is verified before use.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hcrlib import tasks
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.export import bundle
from hcrlib.models import named
from hcrlib.records import read


def add(name: str, run: str, log: Callable[[str], Any] = lambda line: None, why: str = "") -> Path:
    """Add a finished run as results/zoo/NAME and return that Path; a network is written as ONNX.

    log: called with each line of progress. why: the reason for choosing this run, for its card.

    Raises ConfigError for a name that is taken or not valid, and for a run without a model.
    """
    folder = paths.results_root() / "zoo" / name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"'{name}' is not a valid model name", expected="letters, digits, '-', '_', '.'")
    if folder.exists():
        raise ConfigError(f"There is already a model '{name}'", where=folder, hint="Delete its folder first")
    record = read(paths.runs_root() / run)
    tasks.check_code(record)
    learner = named(record.config.classifier)
    formats = ["model.onnx"] if learner.backend == "keras" else []
    return bundle.write(run, folder, formats, with_runtime=False, anonymous=True, log=log, why=why)
