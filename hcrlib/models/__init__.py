"""Classifiers and recognisers: each module in this folder registers its own. None imports TensorFlow before it needs it."""

import importlib
import pkgutil

from hcrlib.models._base import CLASSIFIERS, RECOGNISERS, Classifier, Recogniser, Task, named, stored

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CLASSIFIERS", "RECOGNISERS", "Classifier", "Recogniser", "Task", "named", "stored"]
