"""Tasks: character classification, text recognition, and those of plug-ins. Each is a folder in this one.

`hcrlib.tasks.base` documents the interface.
"""

import importlib
import pkgutil

from hcrlib.core import plugins
from hcrlib.models import Learner, named
from hcrlib.records import RunConfig, RunRecord
from hcrlib.tasks.base import TASKS, Task

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
plugins.load("hcrlib.tasks")


def get(name: str) -> Task:
    """Return the Task of a name. Raises ConfigError, with a suggestion, for an unknown one."""
    return TASKS.get(name)


def of(what: RunRecord | RunConfig | Learner | type[Learner]) -> Task:
    """Return the Task of a record, a configuration, a learner or its class."""
    return TASKS.get(named(what.classifier).task if isinstance(what, RunConfig) else what.task)


__all__ = ["TASKS", "Task", "get", "of"]
