"""The space of a hyperparameter search: which values of which parameters are tried."""

import dataclasses
import inspect
import math
import re

import yaml
from pydantic import ConfigDict

from hcrlib.core import paths, yaml_file
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.models import named
from hcrlib.models._base import limits_of, names
from hcrlib.runs import runner
from hcrlib.tuning.trials import shown

RANGE = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+?)(\s+log)?\s*")
FACTOR, FACTOR_WHOLE = 10, 4  # of a default, where the method has no space of its own


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One parameter of a space: a list of `choices`, or all (whole) numbers from `low` to `high`."""

    name: str
    choices: list | None = None
    low: float = 0
    high: float = 0
    log: bool = False
    whole: bool = False

    def __str__(self):
        if self.choices is not None:
            return ", ".join(map(shown, self.choices))
        return f"{self.low:g}..{self.high:g}{' log' if self.log else ''}"

    @property
    def varies(self):
        """Whether there is more than one value."""
        return len(self.choices) > 1 if self.choices is not None else self.high > self.low

    def place(self, value):
        """Return the position of a value on this dimension's axis, 0..1."""
        if self.choices is not None:
            return self.choices.index(value) / max(1, len(self.choices) - 1)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class SpaceFile(yaml_file.Section):
    """The file of `hcr tune --space`: a parameter of the classifier, or `preprocess` -> what `plan` takes as its space."""

    model_config = ConfigDict(extra="allow")


def read_space(path):
    """Return the search space of a YAML file as a dict. ConfigError, with the line, if it is not a mapping of parameters."""
    return yaml_file.read(paths.found(path), SpaceFile).model_extra


def dimensions_of(kind, given=None):
    """Return the Dimensions of a space, in order.

    given: parameter -> "LOW..HIGH", "LOW..HIGH log", a list of choices or one value; None for the method's own, else for the
    one that its parameters suggest. Raises ConfigError if it is not valid, or nothing varies.
    """
    if given is None and not (given := kind.space or suggested(kind)):
        if not kind.parameters():
            raise ConfigError(f"There is no search space for {kind.name}: it has no parameters", hint=_others())
        hint = 'Write --space FILE with lines such as `NAME: "1..10"`, or the class attribute'
        hint += (
            f' `space = {{"NAME": "1..10"}}` in {inspect.getfile(kind)}; `hcr classifiers {kind.name}` shows the names'
        )
        raise ConfigError(f"No parameter of {kind.name} suggests which values to try", hint=hint)
    if not isinstance(given, dict) or not given:
        raise ConfigError("The search space is not valid", expected="a mapping of parameters", got=repr(given))
    if kind.backend == "keras" and "epochs" in given:
        raise ConfigError("'epochs' is chosen by Hyperband", hint="Set max_epochs for the longest training")
    dimensions = [_dimension(kind, name, wanted) for name, wanted in given.items()]
    if not any(dimension.varies for dimension in dimensions):
        raise ConfigError("Nothing varies in this search space", hint="Give a range or a list of choices")
    return dimensions


def suggested(kind):
    """Return the space that a method's parameters suggest: choices, both of a bool, and numbers within their limits.

    Numbers are tried on a logarithmic scale, up to FACTOR times smaller and larger than the default, which has to be above 0.
    """
    space = {}
    for field in dataclasses.fields(kind):
        choices, default = field.metadata.get("choices"), field.default
        if choices:
            space[field.name] = [None, *choices]
        elif isinstance(default, bool):
            space[field.name] = [False, True]
        elif isinstance(default, int | float) and default > 0 and field.name != "epochs":
            low, high = _within(field, default)
            space[field.name] = f"{low:.6g}..{high:.6g} log"
    return space


def _within(field, default):
    """Return the lowest and the highest number to try of a field."""
    least, above, below = limits_of(field)
    factor = FACTOR if isinstance(default, float) else FACTOR_WHOLE
    low = max(default / factor, least or 0, 0 if above is None else above + (default - above) / factor)
    high = default * factor if below is None else min(default * factor, (default + below) / 2)
    return (low, high) if isinstance(default, float) else (max(1, round(low)), round(high))


def _others():
    return f"There are spaces for {', '.join(name for name in names() if named(name).space)}"


def _dimension(kind, name, wanted):
    known = [*kind.parameters(), "preprocess"]
    if name not in known:
        raise ConfigError(f"'{name}' is not a parameter of {kind.name}", hint=did_you_mean(name, known))
    if name != "preprocess" and isinstance(wanted, str) and (match := RANGE.fullmatch(wanted)):
        return _range(kind, name, *match.groups())
    choices = wanted if isinstance(wanted, list) else [wanted]
    if not choices:
        raise ConfigError(f"The space of '{name}' is empty", expected="LOW..HIGH, a list of choices or one value")
    return Dimension(name, choices=[_valid(kind, name, choice) for choice in choices])


def _range(kind, name, low, high, log):
    try:
        low, high = (_valid(kind, name, yaml.safe_load(text)) for text in (low, high))
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    except yaml.YAMLError:
        numbers = False
    if not numbers or low > high or (log and low <= 0):
        wanted = "LOW..HIGH, two numbers, the lower one first" + (" and above 0, for a log scale" if log else "")
        raise ConfigError(f"The range of '{name}' is not valid", expected=wanted, got=f"{low}..{high}")
    return Dimension(name, low=low, high=high, log=bool(log), whole=isinstance(low, int) and isinstance(high, int))


def _valid(kind, name, value):
    """Return the value as the classifier validates it. Raises ConfigError if it is not valid."""
    if name != "preprocess":
        return getattr(kind.create({name: value}), name)
    if not isinstance(value, list):
        what, expected = "The space of 'preprocess' is not valid", "a list of lists of steps"
        raise ConfigError(what, expected=expected, got=repr(value))
    return runner.resolve(kind.name, preprocess=value).preprocess
