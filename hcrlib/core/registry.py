"""One kind of register for everything that is chosen by name."""

import difflib

from hcrlib.core.errors import ConfigError


def did_you_mean(name, names):
    """A next step for a misspelt name: 'Did you mean ...?' where one is near, else the list of what there is."""
    names = list(names)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(names) or 'none'}"


class Registry:
    """Names to things, in the order they were added. `kind` is the word for an error: 'classifier', 'dataset'."""

    def __init__(self, kind):
        self.kind = kind
        self._things = {}

    def add(self, name, thing):
        """Returns thing. A second one of the same name raises ConfigError: nothing is replaced in silence."""
        if name in self._things:
            raise ConfigError(f"A {self.kind} named '{name}' is already there", hint="Choose another name")
        self._things[name] = thing
        return thing

    def get(self, name):
        """The thing of that name; ConfigError with a suggestion where there is none."""
        if name not in self._things:
            raise ConfigError(f"There is no {self.kind} '{name}'", hint=did_you_mean(name, self._things))
        return self._things[name]

    def names(self):
        """All names, in the order they were added."""
        return list(self._things)
