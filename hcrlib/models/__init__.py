"""Classifiers and recognizers: each module in this folder, and each plug-in, registers its own.

None of them imports TensorFlow before it needs it.
"""

import importlib
import pkgutil

from hcrlib.core import plugins
from hcrlib.models._base import (
    CLASSIFIERS,
    RECOGNIZERS,
    Classifier,
    FitContext,
    Learner,
    Recognizer,
    load_bundle,
    load_model,
    named,
    number,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
for _group in ("hcrlib.models", "hcrlib.recognizers"):
    plugins.load(_group)

__all__ = [
    "CLASSIFIERS",
    "RECOGNIZERS",
    "Classifier",
    "FitContext",
    "Learner",
    "Recognizer",
    "load_bundle",
    "load_model",
    "named",
    "number",
]
