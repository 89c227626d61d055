"""The file of a sweep: its model, the runs that it spells, and what to write instead of a key that a run cannot have."""

import dataclasses
import itertools
from typing import Any

import yaml
from pydantic import ConfigDict, Field

from hcrlib.core import paths, yaml_file
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean, nearest
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.runs import notebooks

SHOWN = 3  # lines of a hint
GIVEN = "sweep", "smoke"  # parameters that every notebook of a study gets
Several = dict[str, Any]  # keys that go together


class Run(yaml_file.Section):
    """One or several runs, or what they share; any other key is a parameter of the classifier.

    A list stands for a run with each of its values, several lists for all combinations; a value that is a mapping sets several
    keys at once. Steps and ids of runs are lists by themselves: a list of such lists stands for a run with each.
    """

    model_config = ConfigDict(extra="allow")
    dataset: str | list[str | Several] = Field(
        None, description="a name of `hcr data list`, or a path relative to this file"
    )
    classifier: str | list[str | Several] = Field(None, description="a name of `hcr classifiers`")
    seed: int | list[int] = None
    budget: int | list[int | Several | None] | None = Field(
        None, description="number of training images; null: all of them"
    )
    preprocess: list = Field(None, description="steps, such as [scale, deskew], or a list of such lists")


class SweepFile(yaml_file.Section):
    """A sweep: the combinations of `grid` and the `runs`, each over the `defaults`. One with a `notebook` is a study."""

    question: yaml_file.Text | None = None
    defaults: Run | None = None
    grid: dict[str, Any] | None = Field(
        None, description="key -> list of values; a value that is a mapping sets several keys at once"
    )
    runs: list[Run] | None = None
    notebook: str | None = Field(None, description="executed after the runs instead of notebooks/20_compare.ipynb")
    parameters: dict[str, Any] | None = Field(None, description="of that notebook, whose own ones are of a smoke test")
    smoke: list[Run] | None = Field(None, description="runs of seconds, by which that notebook is tested")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run that a file spells. place: where. values: flat. own, shared: what it and the defaults were written as.

    in_grid: whether it is a combination of the grid.
    """

    place: str
    values: dict
    own: dict
    shared: dict
    in_grid: bool


def notebook_of(content, name):
    """Return the Path of the notebook of a SweepFile of a name, None without one.

    Raises ConfigError if it is not a notebook, if `parameters` are not its own ones, or without a notebook for keys of studies.
    """
    if not content.notebook:
        if given := [key for key in ("parameters", "smoke") if getattr(content, key) is not None]:
            hint = "Name its notebook, `notebook: notebooks/studies/NAME.ipynb`, or take the key away"
            raise ConfigError(f"'{given[0]}' is for a study, and this file has no `notebook`", where=name, hint=hint)
        return None
    try:
        path = paths.found(content.notebook).resolve()
    except ConfigError as error:
        raise ConfigError("There is no such notebook", where=f"{name}, notebook", got=content.notebook) from error
    known = [key for key in notebooks.parameters_of(path) if key not in GIVEN]
    for key in content.parameters or ():
        if key in GIVEN:
            hint = "Take it away: `hcr sweep` gives the notebook this one"
            raise ConfigError(f"'{key}' must not be one of the `parameters`", where=name, hint=hint)
        if key not in known:
            what = f"'{key}' is not a parameter of {path.name}"
            raise ConfigError(what, where=f"{name}, parameters", hint=did_you_mean(key, known))
    return path


def entries(content, name):
    """Return the Entry of every run of a SweepFile of a name: the grid's, then the `runs`.

    Raises ConfigError for an empty list of values.
    """
    shared = content.defaults.model_dump(exclude_unset=True) if content.defaults else {}
    written = [
        (f"{name}, run {number}", run.model_dump(exclude_unset=True))
        for number, run in enumerate(content.runs or (), 1)
    ]
    grid = enumerate(_points(content.grid, f"{name}, grid", shared) if content.grid else (), 1)
    found = [(f"{name}, combination {number} of the grid", point, content.grid, True) for number, point in grid]
    found += [(place, point, own, False) for place, own in written for point in _points(own, place, shared)]
    return [
        Entry(place, {**rest, **point}, own, shared, in_grid)
        for place, point, own, in_grid in found
        for rest in _points(
            {key: value for key, value in shared.items() if key not in point}, f"{name}, defaults", point
        )
    ]


def _points(written, where, around):
    """Return the flat mappings that a mapping stands for: all combinations of its lists, in order.

    around: the mapping that says which classifier it is where this one does not.
    """
    found, whole = [], {**around, **written}
    for combination in itertools.product(*(_values(key, value, where, whole) for key, value in written.items())):
        flat = {}
        for point in combination:
            flat.update(point)
        found.append(flat)
    return found


def _values(key, value, where, whole):
    """Return a mapping for each value of a key of a whole mapping: the key alone, or what a mapping in its list sets."""
    if not isinstance(value, list):
        return [{key: value}]
    if key in _lists(whole.get("classifier")) and not any(isinstance(item, list) for item in value):
        return [{key: value}]
    if not value:
        raise ConfigError(f"'{key}' is not valid", where=where, expected="at least one item", got="[]")
    return [
        point for item in value for point in (_points(item, where, whole) if isinstance(item, dict) else [{key: item}])
    ]


def _lists(classifiers):
    """Return the keys whose value is a list: the steps, and parameters that are declared so by a classifier, or some."""
    given = classifiers if isinstance(classifiers, list) else [classifiers]
    models = [item.get("classifier") if isinstance(item, dict) else item for item in given]
    fields = (field for name in models if name in names() for field in dataclasses.fields(named(name)))
    return {"preprocess", *(field.name for field in fields if list in getattr(field.type, "__args__", (field.type,)))}


def keys_of(classifier):
    """Return the keys that a run of a classifier may have."""
    return [*Run.model_fields, *named(classifier).parameters()]


def remedy(key, entry, others):
    """Return what to write for a key that an Entry lacks ("classifier") or its classifier does not take. others: all."""
    if key == "classifier":
        if entry.in_grid:
            return "A grid makes runs of its own; to repeat `runs` with several seeds, write `defaults: {seed: [0, 1]}`"
        return did_you_mean("", names())
    classifier, is_own = entry.values["classifier"], key in entry.own or key not in entry.shared
    source = entry.own if is_own else entry.shared
    models = dict.fromkeys(other.values.get("classifier") for other in others if source in (other.own, other.shared))
    takers = [name for name in models if name in names() and key in keys_of(name)]
    text = "" if is_own else "It comes from `defaults`, which all runs share. "
    if takers:
        lines = [{"classifier": name, **_kept(source, name)} for name in [*takers, classifier][:SHOWN]]
        return f"{text}Give each classifier its own under `runs`: {', '.join(f'`- {_flow(line)}`' for line in lines)}"
    if meant := nearest(key, keys_of(classifier)):
        return f"{text}Did you mean '{meant}'? Write `{_flow({meant: source.get(key, entry.values[key])})[1:-1]}`"
    return f"{text}{did_you_mean(key, keys_of(classifier))}; `hcr classifiers {classifier}` explains them"


def _kept(source, name):
    """Return the part of a mapping that is parameters of a classifier."""
    return {key: value for key, value in source.items() if key in named(name).parameters()}


def _flow(mapping):
    """Return a mapping as YAML in one line."""
    return yaml.safe_dump(mapping, default_flow_style=True, sort_keys=False, width=1000).strip()
