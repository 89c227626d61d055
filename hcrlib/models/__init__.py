"""The classifiers. Every module in this folder registers its own; none imports TensorFlow before it builds a network."""

import importlib
import pkgutil

from hcrlib.models.base import CLASSIFIERS, Classifier, Task, stored

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CLASSIFIERS", "Classifier", "Task", "stored"]
