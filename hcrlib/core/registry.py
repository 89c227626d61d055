"""Registries of everything that is chosen by name."""

import difflib
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from hcrlib.core.errors import ConfigError


def nearest(name: Any, names: Iterable[str]) -> str | None:
    """Return the name that a misspelled one probably means, in whichever case it is written, or None if none is close."""
    lowered = {each.lower(): each for each in names}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else None


def did_you_mean(name: Any, names: Iterable[str]) -> str:
    """Return the hint for a misspelled name: 'Did you mean ...?' where one is close, else the list of valid names."""
    names = list(names)
    near = nearest(name, names)
    return f"Did you mean '{near}'?" if near else f"There are: {', '.join(names) or 'none'}"


Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Items by name, in the order they were added. kind: the word for an error, such as "classifier" or "dataset"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, Item] = {}

    def add(self, name: str, item: Item) -> Item:
        """Add an item and return it. ConfigError for a name that is taken: nothing is replaced silently."""
        if name in self._items:
            raise ConfigError(f"A {self.kind} named '{name}' already exists", hint="Choose another name")
        self._items[name] = item
        return item

    def get(self, name: str) -> Item:
        """Return the item of a name; ConfigError with a suggestion where there is none."""
        if name not in self._items:
            raise ConfigError(f"There is no {self.kind} '{name}'", hint=did_you_mean(name, self._items))
        return self._items[name]

    def remove(self, name: str) -> None:
        """Remove the item of a name."""
        del self._items[name]

    def names(self) -> list[str]:
        """Return all names, in the order they were added."""
        return list(self._items)
