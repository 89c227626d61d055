"""Tasks: character classification, text recognition, and those of plug-ins. Each is a folder in this one.

`hcrlib.tasks.base` documents the interface.
"""

import importlib
import pkgutil

from hcrlib.core import plugins
from hcrlib.core.errors import ConfigError
from hcrlib.models import Learner, named
from hcrlib.models._base import names
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


def without_code(record: RunRecord) -> ConfigError | None:
    """Return the error of a record whose model or task is not installed, which says what to do, or None."""
    for kind, name, known in (("task", record.task, TASKS.names()), ("model", record.config.classifier, names())):
        if name not in known:
            hint = "Reinstall the package that defines it"
            hint += f", or delete {record.path}" if record.path.is_dir() else ""
            return ConfigError(f"{record.id}: its {kind} '{name}' is not installed", hint=hint)
    return None


def check_code(record: RunRecord) -> None:
    """Raise the error of `without_code`, if any."""
    if error := without_code(record):
        raise error


__all__ = ["TASKS", "Task", "check_code", "get", "of", "without_code"]
